// The search for NaN and infinity, in every type that has them.
#include <bit>
#include <limits>

#include "catch.hpp"
#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"

using octavo::DType;
using octavo::first_not_finite;
using octavo::Tensor;

TEST_CASE("the first NaN or infinity is found whatever the type and the number of threads") {
  constexpr std::int64_t kCount = 300000;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const int threads : {1, 3})
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
        octavo::set_num_threads(threads);
        INFO(octavo::dtype_name(dtype) << " " << bad << " with " << threads << " threads");
        CHECK_FALSE(first_not_finite(Tensor::zeros(DType::f32, {kCount}).to(dtype)));
        for (const std::int64_t at : {0, 1, 1023, 1024, 150001, 299999}) {
          Tensor wide = Tensor::zeros(DType::f32, {kCount});
          wide.mutable_data<float>()[at] = bad;
          wide.mutable_data<float>()[kCount - 1] = bad;
          CHECK(first_not_finite(wide.to(dtype)) == at);
        }
      }
  octavo::set_num_threads(0);
}

TEST_CASE("what is finite is passed: the largest values and subnormal ones") {
  for (const float value : {std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                            std::numeric_limits<float>::denorm_min(), -0.0F}) {
    Tensor x = Tensor::zeros(DType::f32, {3});
    x.mutable_data<float>()[1] = value;
    CHECK_FALSE(first_not_finite(x));
  }
  Tensor signalling = Tensor::zeros(DType::f32, {3});
  signalling.mutable_data<float>()[2] = std::bit_cast<float>(0x7f800001U);
  CHECK(first_not_finite(signalling) == 2);
  CHECK_FALSE(first_not_finite(Tensor()));
  CHECK_FALSE(first_not_finite(Tensor::meta(DType::f32, {3})));
  CHECK_FALSE(first_not_finite(Tensor::zeros(DType::s8, {3})));
}

TEST_CASE("positions are counted in the order of the view") {
  Tensor x = Tensor::zeros(DType::f32, {4, 5});
  x.mutable_data<float>()[2 * 5 + 3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(first_not_finite(x.permute({1, 0})) == 3 * 4 + 2);
  CHECK(x.shape().indices(13) == "[2, 3]");
  CHECK(octavo::Shape{}.indices(0) == "[]");
}

TEST_CASE("a view of many rows is searched as it lies, whatever the number of threads") {
  // Rows of 40 in rows of 120, as the vision tower's queries lie.
  constexpr std::int64_t kRows = 9000;
  for (const int threads : {1, 3}) {
    octavo::set_num_threads(threads);
    for (const std::int64_t at : {0, 39, 40, 179977, 359999}) {
      Tensor x = Tensor::zeros(DType::f32, {kRows, 3, 40});
      float* values = x.mutable_data<float>();
      values[at / 40 * 120 + 40 + at % 40] = std::numeric_limits<float>::infinity();
      values[(kRows - 1) * 120 + 79] = std::numeric_limits<float>::infinity();
      values[at / 40 * 120 + 39] = std::numeric_limits<float>::quiet_NaN();  // not in the view
      CHECK(first_not_finite(x.select(1, 1)) == at);
      CHECK_FALSE(first_not_finite(x.select(1, 2)));
    }
  }
  octavo::set_num_threads(0);
  CHECK_FALSE(first_not_finite(Tensor::zeros(DType::f32, {4, 0, 3}).permute({2, 0, 1})));
}
