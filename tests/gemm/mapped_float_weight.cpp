// Weights of float products in a mapped file: packed by the fourth product of many rows, to the same bits as any other.
#include <algorithm>
#include <atomic>

#include "../support/scratch.hpp"  // lib/gemm has one of this name, too
#include "catch.hpp"
#include "mapped_bytes.hpp"
#include "octavo/detail/elementwise.hpp"
#include "support.hpp"
#include "threads.hpp"

using octavo::DType;
using octavo::FloatMath;
using octavo::Linear;
using octavo::Tensor;
using namespace gemm_test;

namespace {

constexpr std::int64_t kMostRows = 100;
constexpr std::int64_t kEnds = 2 * 65536;  // what shares pages with its neighbours

struct MappedWeight {
  MappedWeight(DType dtype, std::int64_t n, std::int64_t k)
      : owned(dtype == DType::s8 ? random_s8(n, k, 3) : random(n, k, 3).to(dtype)), scale(random(1, n, 4)) {
    path = scratch.write("weight", std::string(static_cast<const char*>(owned.raw()), owned.size_bytes()));
  }
  Tensor mapped() const { return Tensor::over(octavo::map_file(path), 0, owned.dtype(), owned.shape()); }
  Linear layer(const Tensor& weight, FloatMath math) const {
    if (weight.dtype() != DType::s8) return Linear::floating("layer", weight, {}, math);
    return Linear::w8a16("layer", weight, scale.reshape({weight.dim(0)}).clone(), {}, math);
  }

  test::ScratchDirectory scratch;
  Tensor owned, scale;
  std::string path;
};

constexpr FloatMath kMaths[] = {FloatMath::f32, FloatMath::bf16};

}  // namespace

TEST_CASE("a mapped weight of a float product gives the bits of one in memory before and after it is packed") {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::s8})
    for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{70, 700}, {33, 65}, {5, 1}, {48, 130}})
      for (const FloatMath math : kMaths) {
        const MappedWeight files(dtype, n, k);
        const Tensor rows = random(kMostRows, k, 5);
        const Linear owned = files.layer(files.owned, math);
        const Linear mapped = files.layer(files.mapped(), math);
        for (const octavo::BackendInfo& engine : octavo::float_backends()) {
          if (!engine.available) continue;
          octavo::force_float_backend(engine.name);
          // Packed by the fourth product of more than 8 rows.
          for (const std::int64_t m : {1, 2, 3, 7, 8, 9, 32, 100, 33, 1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 100}) {
            const Tensor x = rows.slice(0, 0, m);
            INFO(engine.name << " " << octavo::dtype_name(dtype) << " " << octavo::float_math_name(math) << " n " << n
                             << " k " << k << " m " << m);
            REQUIRE(floats(mapped.forward(x)) == floats(owned.forward(x)));
          }
          octavo::force_float_backend("");
        }
      }
}

TEST_CASE("a gate in a mapped file and an up in memory give the bits of the two apart, packed or not") {
  for (const DType dtype : {DType::bf16, DType::s8})
    for (const FloatMath math : kMaths) {
      const MappedWeight files(dtype, 1100, 130);
      const Linear gate = files.layer(files.mapped(), math);
      const Linear up = files.layer(files.owned, math);
      const Tensor x = random(kMostRows, 130, 5);
      Tensor apart = files.layer(files.owned, math).forward(x);
      const Tensor by = up.forward(x);
      octavo::detail::silu_multiply(apart.mutable_data<float>(), by.data<float>(), by.numel());
      for (int call = 0; call < 6; ++call) {
        INFO(octavo::dtype_name(dtype) << " " << octavo::float_math_name(math) << " call " << call);
        REQUIRE(floats(forward_gated(gate, up, x)) == floats(apart));
        REQUIRE(floats(forward_gated(gate, gate, x)) == floats(apart));
      }
    }
}

TEST_CASE("a mapped weight of a float product is in memory once: as stored for few rows and packed for many") {
  const std::vector<octavo::BackendInfo> engines = octavo::float_backends();
  if (!engines.front().available) return;  // without AMX nothing is packed
  const MappedWeight files(DType::bf16, 700, 1500);
  const Tensor x = random(20, 1500, 5);
  const Linear layer = files.layer(files.mapped(), FloatMath::f32);
  const Linear owned = files.layer(files.owned, FloatMath::f32);
  CHECK(test::resident_bytes(files.path) == 0);  // nothing of it was read
  CHECK(layer.weight_bytes() == owned.weight_bytes());
  (void)layer.forward(x.slice(0, 0, 2));
  CHECK(test::resident_bytes(files.path) + kEnds >= static_cast<std::int64_t>(files.owned.size_bytes()));
  CHECK(layer.weight_bytes() == owned.weight_bytes());
  for (int product = 0; product < 3; ++product) (void)layer.forward(x);
  CHECK(layer.weight_bytes() == owned.weight_bytes());  // may have been all that is wanted of it
  (void)layer.forward(x);
  CHECK(test::resident_bytes(files.path) <= kEnds);
  CHECK(layer.weight_bytes() > owned.weight_bytes());  // whole panels: 704 x 1504 or 1536
  CHECK(layer.weight_bytes() - owned.weight_bytes() < owned.weight_bytes() / 16);
  (void)layer.forward(x.slice(0, 0, 2));
  CHECK(test::resident_bytes(files.path) <= kEnds);
}

TEST_CASE("threads that need a mapped weight of a float product at the same moment pack it once and agree") {
  for (const DType dtype : {DType::bf16, DType::s8}) {
    const MappedWeight files(dtype, 300, 700);
    const Tensor x = random(20, 700, 6), one = x.slice(0, 0, 1);
    const Linear owned = files.layer(files.owned, FloatMath::f32);
    const std::vector<float> many = floats(owned.forward(x)), few = floats(owned.forward(one));
    for (int round = 0; round < 20; ++round) {
      const Linear layer = files.layer(files.mapped(), FloatMath::f32);
      std::atomic<int> wrong{0};
      test::at_once(4, [&](int thread) {
        const bool reads_few = thread % 2 == 1;  // they read it as stored or packed, as they find it
        for (int product = 0; product < 3; ++product)
          if (floats(layer.forward(reads_few ? one : x)) != (reads_few ? few : many) || layer.weight_bytes() == 0)
            ++wrong;
      });
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a mapped weight of a float product gives the same bits for every thread count") {
  for (const DType dtype : {DType::bf16, DType::s8})
    for (const FloatMath math : kMaths) {
      const MappedWeight files(dtype, 301, 1100);
      const Linear layer = files.layer(files.mapped(), math);
      for (const std::int64_t m : {1, 40, 500, 40, 1, 8, 500}) {
        const Tensor x = random(m, 1100, 1);
        INFO(octavo::dtype_name(dtype) << " " << octavo::float_math_name(math) << " m " << m);
        CHECK(with_threads(1, [&] { return floats(layer.forward(x)); }) ==
              with_threads(3, [&] { return floats(layer.forward(x)); }));
      }
    }
}
