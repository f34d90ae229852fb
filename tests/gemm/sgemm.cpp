// The float32 product against float64 by the definition.
#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;

TEST_CASE("sgemm is alpha op(A) op(B) + beta C within leading dimensions") {
  for (const std::int64_t m : {1, 5, 33})
    for (const std::int64_t n : {1, 6, 31})
      for (const std::int64_t k : {1, 7, 64})
        for (const bool ta : {false, true})
          for (const bool tb : {false, true})
            for (const float beta : {0.0F, 1.0F, -0.5F}) {
              const std::int64_t lda = (ta ? m : k) + 3;
              const std::int64_t ldb = (tb ? k : n) + 2;
              const std::int64_t ldc = n + 1;
              const Tensor a = random(ta ? k : m, lda, 1);
              const Tensor b = random(tb ? n : k, ldb, 2);
              const Tensor before = random(m, ldc, 3);
              Tensor c = before.clone();
              octavo::sgemm(m, n, k, a.data<float>(), lda, b.data<float>(), ldb, c.mutable_data<float>(), ldc,
                            {.transpose_a = ta, .transpose_b = tb, .alpha = 1.5F, .beta = beta});
              INFO("m " << m << " n " << n << " k " << k << " ta " << ta << " tb " << tb << " beta " << beta);
              for (std::int64_t i = 0; i < m; ++i) {
                for (std::int64_t j = 0; j < n; ++j) {
                  const double old = double{before.data<float>()[i * ldc + j]};
                  double sum = 0;
                  double size = std::fabs(old);
                  for (std::int64_t q = 0; q < k; ++q) {
                    const double term = double{a.data<float>()[ta ? q * lda + i : i * lda + q]} *
                                        double{b.data<float>()[tb ? j * ldb + q : q * ldb + j]};
                    sum += term;
                    size += 1.5 * std::fabs(term);
                  }
                  REQUIRE(std::fabs(double{c.data<float>()[i * ldc + j]} - (1.5 * sum + double{beta} * old)) <=
                          1e-6 * size);
                }
                REQUIRE(c.data<float>()[i * ldc + n] == before.data<float>()[i * ldc + n]);  // beyond the row
              }
            }
}

TEST_CASE("sgemm of no terms scales C, of no rows touches nothing") {
  std::vector<float> c{1, 2, 3, 4};
  octavo::sgemm(2, 2, 0, nullptr, 1, nullptr, 2, c.data(), 2, {.beta = 0.5F});
  CHECK(c == std::vector<float>{0.5F, 1, 1.5F, 2});
  octavo::sgemm(0, 2, 3, nullptr, 3, c.data(), 2, nullptr, 2);
  octavo::sgemm(2, 2, 0, nullptr, 1, nullptr, 2, c.data(), 2);
  CHECK(c == std::vector<float>{0, 0, 0, 0});
}

TEST_CASE("sgemm refuses impossible sizes") {
  float x = 0;
  CHECK(message_of([&] { octavo::sgemm(-1, 2, 3, &x, 3, &x, 2, &x, 2); }) ==
        "sgemm: sizes must not be negative: m -1, n 2, k 3");
  CHECK(message_of([&] { octavo::sgemm(2, 2, 3, &x, 2, &x, 2, &x, 2); }) ==
        "sgemm: the leading dimension of a is 2, its rows are 3 long");
}
