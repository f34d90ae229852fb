// X^T X against float64 by the definition, of rounded values where the math is bf16.
#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::FloatMath;

namespace {

bool multiplies_bf16(const std::string& backend) { return backend == "amx_bf16" || backend == "avx512_bf16"; }

/// What float32 sums of so many terms, in whatever order, are off by at most, relative to the sum of the terms' sizes
/// (Higham 2002, section 4.2), and the old value.
double bound(std::int64_t k) { return static_cast<double>(k + 1) * 0x1p-24; }

template <class Check>
void on_every_backend(const Check& check) {
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) {
      WARN(backend.name << " cannot run here");
      continue;
    }
    octavo::force_float_backend(backend.name);
    INFO(backend.name);
    check(backend.name);
  }
  octavo::force_float_backend("");
}

/// Largest |c - (before + x^T x)| of the lower triangle, relative to the sum of the terms' sizes.
double worst_error(const Tensor& c, const Tensor& before, const Tensor& x, std::int64_t n) {
  const std::int64_t ldx = x.dim(1);
  const std::int64_t ldc = c.dim(1);
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = double{before.data<float>()[i * ldc + j]};
      double size = std::fabs(sum);
      for (std::int64_t t = 0; t < x.dim(0); ++t) {
        const double term = double{x.data<float>()[t * ldx + i]} * double{x.data<float>()[t * ldx + j]};
        sum += term;
        size += std::fabs(term);
      }
      const double error = std::fabs(double{c.data<float>()[i * ldc + j]} - sum) / size;
      if (!(error <= worst)) worst = error;  // NaN is an error, too
    }
  return worst;
}

Tensor added(const Tensor& before, const Tensor& x, std::int64_t n, FloatMath math) {
  Tensor c = before.clone();
  octavo::ssyrk(n, x.dim(0), x.data<float>(), x.dim(1), c.mutable_data<float>(), c.dim(1), math);
  return c;
}

}  // namespace

TEST_CASE("ssyrk adds the lower triangle of X^T X on every float backend at every size") {
  on_every_backend([](const std::string& backend) {
    for (const std::int64_t n : {1, 11, 12, 13, 31, 32, 33, 50, 257, 300})
      for (const std::int64_t k : {1, 2, 31, 33, 64, 515}) {
        const Tensor x = random(k, n + 3, 1);
        const Tensor before = random(n, n + 2, 2);
        INFO("n " << n << " k " << k);
        CHECK(worst_error(added(before, x, n, FloatMath::f32), before, x, n) <= bound(k));
        const Tensor rounded = added(before, x, n, FloatMath::bf16);
        if (multiplies_bf16(backend)) {
          CHECK(worst_error(rounded, before, x.to(DType::bf16).to(DType::f32), n) <= bound(k));
          CHECK(worst_error(rounded, before, x, n) <= 0x1p-7 + 0x1p-16 + bound(k));
        } else {
          CHECK(worst_error(rounded, before, x, n) <= bound(k));
        }
        for (std::int64_t i = 0; i < n; ++i)  // beyond the row
          REQUIRE(rounded.data<float>()[i * (n + 2) + n] == before.data<float>()[i * (n + 2) + n]);
      }
  });
}

TEST_CASE("ssyrk cuts long sums and wide results without a seam") {
  on_every_backend([](const std::string& backend) {
    const std::int64_t n = 530;  // more than one block of rows and of columns on every backend
    const Tensor x = random(2100, n, 3).to(DType::bf16).to(DType::f32);
    const Tensor zero = Tensor::zeros(DType::f32, {n, n});
    INFO(backend);
    CHECK(worst_error(added(zero, x, n, FloatMath::bf16), zero, x, n) <= bound(x.dim(0)));
  });
}

TEST_CASE("ssyrk gives the same bits for every thread count") {
  on_every_backend([](const std::string&) {
    for (const FloatMath math : {FloatMath::f32, FloatMath::bf16}) {
      const std::int64_t n = 700;
      const Tensor x = random(900, n, 4);
      const Tensor before = random(n, n, 5);
      std::vector<float> first;
      for (const int threads : {1, 2, 3}) {
        octavo::set_num_threads(threads);
        const Tensor c = added(before, x, n, math);
        std::vector<float> lower;
        for (std::int64_t i = 0; i < n; ++i)
          lower.insert(lower.end(), c.data<float>() + i * n, c.data<float>() + i * n + i + 1);
        if (threads == 1) first = lower;
        CHECK(lower == first);
      }
      octavo::set_num_threads(0);
    }
  });
}

TEST_CASE("ssyrk refuses sizes that cannot be") {
  float one = 1;
  CHECK_THROWS_AS(octavo::ssyrk(-1, 1, &one, 1, &one, 1), octavo::Error);
  CHECK_THROWS_AS(octavo::ssyrk(2, 1, &one, 1, &one, 2), octavo::Error);
  CHECK_THROWS_AS(octavo::ssyrk(2, 1, &one, 2, &one, 1), octavo::Error);
  octavo::ssyrk(1, 0, nullptr, 1, &one, 1);
  CHECK(one == 1);
}
