// Few rows over int8 weights in whole numbers, against float64 by the definition: the bound that float32's own sums do
// not keep, and rows that do not lend themselves to it.
#include "kernels/fixed_point.hpp"

#include <cstring>
#include <limits>

#include "catch.hpp"
#include "kernels/cpu.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::FloatMath;
using octavo::gemm::Ending;
using octavo::gemm::FewRows;
using octavo::gemm::FloatEngine;
using octavo::gemm::FloatProduct;

namespace {

// The engines whose few rows are whole numbers here.
std::vector<FloatEngine> engines() {
  std::vector<FloatEngine> found;
  if (octavo::gemm::has_avx_vnni()) found.push_back(FloatEngine::avx2);
  if (octavo::gemm::has_avx512_vnni()) found.push_back(FloatEngine::avx512);
  if (found.empty()) WARN("this processor has no VNNI: nothing is tested");
  return found;
}

std::vector<float> product(FloatEngine engine, const Tensor& x, const Tensor& w) {
  std::vector<float> y(static_cast<std::size_t>(x.dim(0) * w.dim(0)), -7.0F);
  FloatProduct p{.x = x.data<float>(),
                 .m = x.dim(0),
                 .n = w.dim(0),
                 .k = x.dim(1),
                 .weight = w.raw(),
                 .dtype = DType::s8,
                 .scale = nullptr,
                 .bias = nullptr,
                 .y = y.data()};
  const FewRows rows(p, engine);
  const std::int64_t first = p.n / 8 * 4;  // in two parts, the first a multiple of four columns
  rows.stream(0, first);
  rows.stream(first, p.n - first);
  return y;
}

bool same_bits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("few rows over int8 weights are within 2^-30 of their largest value for each weight") {
  for (const FloatEngine engine : engines())
    for (const std::int64_t k : {1, 15, 63, 64, 65, 200, 2048, 11008})
      for (const std::int64_t n : {1, 3, 4, 9})
        for (const float outlier : {0.0F, 1e4F, -3e6F})
          for (const float spread : {1e-24F, 1.0F, 1e28F}) {
            Tensor x = random(3, k, static_cast<unsigned>(k + n), spread);
            if (outlier != 0) x.mutable_data<float>()[k - 1] = outlier * spread;
            const Tensor w = random_s8(n, k, static_cast<unsigned>(k));
            const std::vector<float> y = product(engine, x, w);
            for (std::int64_t i = 0; i < 3; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                long double sum = 0, weights = 0, largest = 0;
                for (std::int64_t c = 0; c < k; ++c) {
                  const long double value = x.data<float>()[i * k + c];
                  const long double weight = w.data<std::int8_t>()[j * k + c];
                  sum += value * weight;
                  weights += std::fabs(weight);
                  largest = std::max(largest, std::fabs(value));
                }
                const long double error = std::fabs(y[static_cast<std::size_t>(i * n + j)] - sum);
                const long double rounded = std::ldexp(std::fabs(sum), -24);  // of the result to float32
                INFO("engine " << static_cast<int>(engine) << " k " << k << " n " << n << " outlier " << outlier
                               << " spread " << spread << " row " << i);
                REQUIRE(error <= rounded * 1.0001L + std::ldexp(largest * weights, -30));
              }
          }
}

TEST_CASE("a row over int8 weights has the same bits alone and beside rows of any kind") {
  constexpr std::int64_t kRows = 7, kK = 130, kN = 11;
  const float infinity = std::numeric_limits<float>::infinity();
  Tensor x = random(kRows, kK, 1);
  float* rows = x.mutable_data<float>();
  rows[1 * kK + 5] = std::numeric_limits<float>::quiet_NaN();
  rows[2 * kK + 129] = -infinity;
  for (std::int64_t i = 0; i < kK; ++i) rows[3 * kK + i] *= 1e-40F;  // denormal
  for (std::int64_t i = 0; i < kK; ++i) rows[4 * kK + i] = 0;
  rows[5 * kK + 64] = 1e36F;
  const Tensor w = random_s8(kN, kK, 2);
  for (const FloatEngine engine : engines()) {
    const std::vector<float> together = product(engine, x, w);
    for (std::int64_t i = 0; i < kRows; ++i) {
      const std::vector<float> alone = product(engine, x.slice(0, i, i + 1), w);
      INFO("engine " << static_cast<int>(engine) << " row " << i);
      CHECK(same_bits(alone.data(), together.data() + i * kN, kN));
      CHECK(std::isfinite(alone[0]) == (i != 1 && i != 2));
    }
    CHECK(std::vector<float>(together.begin() + 4 * kN, together.begin() + 5 * kN) == std::vector<float>(kN, 0.0F));
  }
}

TEST_CASE("rows over int8 weights have the same bits whatever their number, by words and by tiles, however they end") {
  if (!octavo::gemm::has_avx512_vnni()) {
    WARN("this processor has no AVX512-VNNI: nothing is tested");
    return;
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<FloatEngine> here{FloatEngine::avx512};
  if (octavo::gemm::has_amx_int8()) here.push_back(FloatEngine::amx_bf16);
  if (here.size() < 2) WARN("this processor has no AMX: tiles are not tested");
  struct Weight {
    std::int64_t n, k;
  };
  struct Some {
    std::int64_t first, count;
  };
  for (const Weight& shape : {Weight{1, 1}, {33, 63}, {90, 130}, {40, 2500}}) {
    const std::int64_t n = shape.n, k = shape.k;
    Tensor x = random(700, k, 1);
    const Tensor w = random_s8(n, k, 2), up_w = random_s8(n, k, 3);
    float* rows = x.mutable_data<float>();
    rows[5 * k] = nan;
    for (std::int64_t i = 0; i < k; ++i) rows[300 * k + i] = 1e-40F;
    const Tensor scale = random(1, n, 4), bias = random(1, n, 5), before = random(700, n, 6);
    const auto product = [&](const Tensor& weight, std::int64_t first, std::int64_t m, Ending ending, float* y) {
      return FloatProduct{.x = x.data<float>() + first * k,
                          .m = m,
                          .n = n,
                          .k = k,
                          .weight = weight.raw(),
                          .dtype = DType::s8,
                          .scale = scale.data<float>(),
                          .bias = bias.data<float>(),
                          .y = y,
                          .ending = ending};
    };
    // Rows [first, first + m), ended as `ending` says; Ending::gate as one pass of two products.
    const auto rows_of = [&](FloatEngine engine, std::int64_t first, std::int64_t m, Ending ending) {
      std::vector<float> y(before.data<float>() + first * n, before.data<float>() + (first + m) * n);
      const FloatProduct one = product(w, first, m, ending == Ending::gate ? Ending::store : ending, y.data());
      const FloatProduct up = product(up_w, first, m, Ending::gate, y.data());
      if (ending == Ending::gate && octavo::gemm::float_products(one, up, engine, FloatMath::f32)) return y;
      REQUIRE(octavo::gemm::float_product(one, engine, FloatMath::f32));
      if (ending == Ending::gate) REQUIRE(octavo::gemm::float_product(up, engine, FloatMath::f32));
      return y;
    };
    for (const Ending ending : {Ending::store, Ending::add, Ending::gate, Ending::gelu}) {
      std::vector<float> alone;  // each row as a product of its own
      for (std::int64_t i = 0; i < 700; ++i)
        for (const float value : rows_of(FloatEngine::avx512, i, 1, ending)) alone.push_back(value);
      for (const FloatEngine engine : here)
        for (const Some& some : {Some{0, 1}, {3, 4}, {0, 5}, {0, 8}, {0, 9}, {295, 16}, {1, 67}, {0, 700}}) {
          const std::int64_t first = some.first, m = some.count;
          const std::vector<float> y = rows_of(engine, first, m, ending);
          INFO("n " << n << " k " << k << " ending " << static_cast<int>(ending) << " engine "
                    << static_cast<int>(engine) << " rows " << first << " + " << m);
          CHECK(same_bits(y.data(), alone.data() + first * n, m * n));
          CHECK(with_threads(3, [&] { return same_bits(rows_of(engine, first, m, ending).data(), y.data(), m * n); }));
        }
    }
  }
}

TEST_CASE("few rows over int8 weights have the same bits by AVX-VNNI and AVX512-VNNI") {
  const std::vector<FloatEngine> all = engines();
  if (all.size() < 2) {
    WARN("this processor has not both: nothing is compared");
    return;
  }
  for (const std::int64_t k : {1, 31, 32, 33, 64, 97, 200, 2048})
    for (const std::int64_t n : {1, 2, 3, 9}) {
      const Tensor x = random(5, k, static_cast<unsigned>(k)), w = random_s8(n, k, static_cast<unsigned>(n));
      INFO("k " << k << " n " << n);
      REQUIRE(product(all[0], x, w) == product(all[1], x, w));
    }
}
