// Float products over every stored type, on every engine this machine has, against float64 by the definition.
#include <array>
#include <bit>
#include <cstdlib>
#include <limits>

#include "catch.hpp"
#include "kernels/cpu.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::FloatMath;
using octavo::Linear;

namespace {

/// job(name) once per engine of this machine, forced.
template <class Job>
void on_every_engine(const Job& job) {
  for (const octavo::BackendInfo& engine : octavo::float_backends()) {
    if (!engine.available) continue;
    octavo::force_float_backend(engine.name);
    job(engine.name);
  }
  octavo::force_float_backend("");
}

/// Largest |y - x W^T| relative to sum |x w|, the natural unit of a dot product's rounding, of some rows and columns.
double worst_error(const Tensor& y, const Tensor& x, const Tensor& w, std::int64_t row_step = 1,
                   std::int64_t column_step = 1) {
  const std::int64_t k = x.dim(1);
  double worst = 0;
  for (std::int64_t i = 0; i < x.dim(0); i += row_step)
    for (std::int64_t j = 0; j < w.dim(0); j += column_step) {
      double sum = 0;
      double size = 1e-30;
      for (std::int64_t c = 0; c < k; ++c) {
        const double term = double{x.data<float>()[i * k + c]} * double{w.data<float>()[j * k + c]};
        sum += term;
        size += std::fabs(term);
      }
      const double error = std::fabs(double{y.data<float>()[i * w.dim(0) + j]} - sum) / size;
      if (!(error <= worst)) worst = error;  // NaN is an error, too
    }
  return worst;
}

Tensor stored_as(const Tensor& w, DType dtype) { return dtype == DType::s8 ? w : w.to(dtype); }

Linear layer_of(const Tensor& stored, FloatMath math = FloatMath::f32) {
  if (stored.dtype() != DType::s8) return Linear::floating("test", stored, {}, math);
  return Linear::w8a16("test", stored, vector_of(std::vector<float>(static_cast<std::size_t>(stored.dim(0)), 1.0F)), {},
                       math);
}

Tensor weight(DType dtype, std::int64_t n, std::int64_t k) {
  return dtype == DType::s8 ? random_s8(n, k, 2) : stored_as(random(n, k, 2), dtype);
}

constexpr std::array<DType, 4> kStored{DType::f32, DType::bf16, DType::f16, DType::s8};

}  // namespace

TEST_CASE("the table of float backends ends with portable, which is always available") {
  const std::vector<octavo::BackendInfo> table = octavo::float_backends();
  REQUIRE(table.size() == 5);
  CHECK(table[0].name == "amx_bf16");
  CHECK(table[1].name == "avx512_bf16");
  CHECK(table[2].name == "avx512");
  CHECK(table[3].name == "avx2");
  CHECK(table[4].name == "portable");
  CHECK(table[4].available);
}

TEST_CASE("every float backend multiplies every stored type to float32's precision at every size") {
  on_every_engine([](const std::string& engine) {
    for (const DType dtype : kStored)
      for (const std::int64_t k : {1, 15, 31, 33, 64, 200, 515}) {
        const Tensor wide = random(50, k, 1);
        for (const std::int64_t n : {1, 5, 16, 17, 33, 70, 131}) {
          const Tensor w = weight(dtype, n, k);
          const Linear layer = layer_of(w);
          for (const std::int64_t m : {1, 2, 3, 4, 7, 8, 9, 12, 13, 16, 17, 31, 32, 33, 50}) {
            const Tensor x = wide.slice(0, 0, m);
            INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m << " n " << n << " k " << k);
            REQUIRE(worst_error(layer.forward(x), x, w.to(DType::f32)) < 1e-6);
          }
        }
      }
  });
}

TEST_CASE("every float backend multiplies more than one block of rows and columns and cut of K") {
  on_every_engine([](const std::string& engine) {
    for (const DType dtype : kStored)
      for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1000, 70, 130}, {100, 600, 4100}, {490, 290, 300}}) {
        const Tensor x = random(m, k, 1);
        const Tensor w = weight(dtype, n, k);
        INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m << " n " << n << " k " << k);
        CHECK(worst_error(layer_of(w).forward(x), x, w.to(DType::f32), 7, 3) < 1e-6);
      }
  });
}

TEST_CASE("every float backend gives the same bits for every thread count") {
  on_every_engine([](const std::string& engine) {
    for (const DType dtype : kStored)
      for (const std::int64_t m : {1, 8, 40, 500}) {
        const Tensor x = random(m, 1100, 1);
        const Linear layer = layer_of(weight(dtype, 301, 1100));
        INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m);
        CHECK(with_threads(1, [&] { return floats(layer.forward(x)); }) ==
              with_threads(3, [&] { return floats(layer.forward(x)); }));
      }
  });
}

TEST_CASE("few rows have the same bits on AVX2 and AVX-512") {
  const std::vector<octavo::BackendInfo> table = octavo::float_backends();
  if (!table[2].available || !table[3].available) {
    WARN("this processor has not both: nothing is compared");
    return;
  }
  const auto forward = [](const char* engine, const Linear& layer, const Tensor& x) {
    octavo::force_float_backend(engine);
    std::vector<float> y = floats(layer.forward(x));
    octavo::force_float_backend("");
    return y;
  };
  for (const DType dtype : kStored)
    for (const std::int64_t k : {1, 15, 16, 17, 200, 1100})
      for (const std::int64_t n : {1, 3, 4, 5, 9, 33})
        for (const std::int64_t m : {1, 2, 3, 4, 8}) {
          const Linear layer = layer_of(weight(dtype, n, k));
          const Tensor x = random(m, k, 1);
          INFO(octavo::dtype_name(dtype) << " m " << m << " n " << n << " k " << k);
          REQUIRE(forward("avx2", layer, x) == forward("avx512", layer, x));
        }
}

TEST_CASE("float products keep float32's range: huge, tiny and not finite values") {
  const float infinity = std::numeric_limits<float>::infinity();
  on_every_engine([&](const std::string& engine) {
    for (const DType dtype : kStored)
      for (const std::int64_t m : {1, 20, 40})
        for (const float value : {3.4e38F, -3.4e38F, 1.0e-30F, 16777215.0F, infinity, -infinity}) {
          Tensor x = Tensor::zeros(DType::f32, {m, 35});
          x.mutable_data<float>()[(m - 1) * 35 + 33] = value;
          const Tensor ones = dtype == DType::s8 ? filled_s8(3, 35, 1) : random(3, 35, 1);
          Tensor w = ones.clone();
          if (dtype != DType::s8)
            for (float& one : w.mutable_values<float>()) one = 1.0F;
          INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m << " value " << value);
          const std::vector<float> y = floats(layer_of(stored_as(w, dtype)).forward(x));
          const std::vector<float> last(y.end() - 3, y.end());
          CHECK(last == std::vector<float>(3, value));
          if (m > 1) CHECK(y.front() == 0.0F);
        }
    for (const std::uint32_t bits : {0x7fc00000U, 0x7f800001U, 0xff800001U}) {  // the last two say so in low bits only
      Tensor x = Tensor::zeros(DType::f32, {20, 35});
      x.mutable_data<float>()[5] = std::bit_cast<float>(bits);
      const Tensor y = layer_of(random(3, 35, 1).to(DType::bf16)).forward(x);
      INFO(engine);
      CHECK(std::isnan(y.data<float>()[0]));
      CHECK(y.data<float>()[3] == 0.0F);
    }
  });
}

TEST_CASE("a weight that is NaN or infinite reaches every row of its column and no other") {
  on_every_engine([](const std::string& engine) {
    for (const FloatMath math : {FloatMath::f32, FloatMath::bf16})
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
        for (const std::int64_t m : {1, 2, 8, 33, 40})
          for (const std::int64_t k : {1, 35, 700})
            for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity()}) {
              constexpr std::int64_t kColumns = 19, kColumn = 17;
              Tensor w = random(kColumns, k, 1).clone();
              w.mutable_data<float>()[kColumn * k + k - 1] = bad;
              const Tensor x = random(m, k, 2);
              const Tensor y = layer_of(w.to(dtype), math).forward(x);
              std::int64_t wrong = 0;
              for (std::int64_t i = 0; i < m * kColumns; ++i)
                wrong += std::isfinite(y.data<float>()[i]) == (i % kColumns == kColumn) ? 1 : 0;
              INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m << " k " << k << " bad " << bad);
              CHECK(wrong == 0);
            }
  });
}

TEST_CASE("bf16 math is asked for, stays within its bound, and leaves few rows as they are") {
  const bool whole_numbers = octavo::gemm::has_avx512_vnni();  // which are exact, and faster for up to 128 rows
  on_every_engine([&](const std::string& engine) {
    for (const DType dtype : kStored)
      for (const auto& [m, k] : {std::pair{40, 33}, {40, 700}, {40, 2101}, {130, 700}}) {
        const Tensor x = random(m, k, 1);
        const Tensor w = weight(dtype, 90, k);
        const Linear layer = layer_of(w);
        const Tensor exact = layer.forward(x);
        const std::vector<float> one = floats(layer.forward(x.slice(0, 0, 1)));
        const Linear rounding = layer_of(w, FloatMath::bf16);
        const Tensor rounded = rounding.forward(x);
        const std::vector<float> one_rounded = floats(rounding.forward(x.slice(0, 0, 1)));
        const bool same_for_threads = with_threads(3, [&] { return floats(rounding.forward(x)); }) == floats(rounded);
        INFO(engine << " " << octavo::dtype_name(dtype) << " m " << m << " k " << k);
        CHECK(worst_error(exact, x, w.to(DType::f32)) < 1e-6);
        CHECK(worst_error(rounded, x, w.to(DType::f32)) < 1.0 / 512 + 1e-6);  // half the bound: terms differ in sign
        CHECK(one_rounded == one);
        CHECK(same_for_threads);
        const bool rounds = engine == "amx_bf16" || engine == "avx512_bf16";
        const bool narrow = dtype == DType::bf16 || (dtype == DType::s8 && (m > 128 || !whole_numbers));
        CHECK((floats(rounded) != floats(exact)) == (rounds && narrow));
      }
  });
}

TEST_CASE("the worst that bf16 math does to a product is what its bound says") {
  const float halfway = 1 + 1.0F / 256;  // to even: 1, and 2^-8 is lost
  on_every_engine([&](const std::string& engine) {
    Tensor x = Tensor::zeros(DType::f32, {40, 35}), w = Tensor::zeros(DType::f32, {3, 35});
    x.mutable_data<float>()[39 * 35 + 33] = halfway;
    w.mutable_data<float>()[33] = 1;
    const bool rounds = engine == "amx_bf16" || engine == "avx512_bf16";
    INFO(engine);
    CHECK(layer_of(w.to(DType::bf16), FloatMath::bf16).forward(x).data<float>()[39 * 3] == (rounds ? 1.0F : halfway));
    CHECK(layer_of(w.to(DType::bf16)).forward(x).data<float>()[39 * 3] == halfway);
  });
}

TEST_CASE("forcing a float backend is strict") {
  const std::string known = "; known are amx_bf16, avx512_bf16, avx512, avx2, portable";
  CHECK(message_of([] { octavo::force_float_backend("avx9"); }) == "there is no float backend \"avx9\"" + known);
  const Linear layer = Linear::floating("f", random(3, 5, 1), {});
  ::setenv("OCTAVO_FLOAT_BACKEND", "fastest", 1);
  const std::string message = message_of([&] { layer.forward(random(1, 5, 1)); });
  octavo::force_float_backend("portable");  // a name given in the program overrides the environment
  const std::string forced = message_of([&] { layer.forward(random(1, 5, 1)); });
  octavo::force_float_backend("");
  ::unsetenv("OCTAVO_FLOAT_BACKEND");
  CHECK(message == "there is no float backend \"fastest\"" + known);
  CHECK(forced == "nothing was thrown");
}
