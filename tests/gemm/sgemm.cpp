// The float32 product against float64 by the definition.
#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;

namespace {

template <class Check>
void on_every_backend(const Check& check) {
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) {
      WARN(backend.name << " cannot run here");
      continue;
    }
    octavo::force_float_backend(backend.name);
    INFO(backend.name);
    check();
  }
  octavo::force_float_backend("");
}

void check_against_float64(const std::vector<std::int64_t>& rows, const std::vector<std::int64_t>& columns,
                           const std::vector<std::int64_t>& terms) {
  for (const std::int64_t m : rows)
    for (const std::int64_t n : columns)
      for (const std::int64_t k : terms)
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

}  // namespace

TEST_CASE("sgemm is alpha op(A) op(B) + beta C within leading dimensions") {
  on_every_backend([] { check_against_float64({1, 5, 12, 33}, {1, 6, 31, 32}, {1, 7, 64}); });
}

TEST_CASE("sgemm is right over several blocks of rows and columns and several cuts") {
  on_every_backend([] { check_against_float64({401}, {7}, {1030}); });
  on_every_backend([] { check_against_float64({13}, {1050}, {5}); });
}

TEST_CASE("sgemm gives the same bits for every thread count and every part of C") {
  const std::int64_t m = 410, n = 333, k = 700;
  const Tensor a = random(m, k, 1), b = random(n, k, 2);
  const auto product = [&](std::int64_t first, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    Tensor c = Tensor::empty(DType::f32, {rows, columns});
    octavo::sgemm(rows, columns, k, a.data<float>() + first * k, k, b.data<float>() + column * k, k,
                  c.mutable_data<float>(), columns, {.transpose_b = true});
    return c;
  };
  on_every_backend([&] {
    const std::vector<float> whole = with_threads(1, [&] { return floats(product(0, m, 0, n)); });
    for (const int threads : {2, 3, 7})
      CHECK(with_threads(threads, [&] { return floats(product(0, m, 0, n)); }) == whole);
    const Tensor part = product(37, 50, 101, 77);
    bool same = true;
    for (std::int64_t i = 0; i < 50; ++i)
      for (std::int64_t j = 0; j < 77; ++j)
        same = same && part.data<float>()[i * 77 + j] == whole[static_cast<std::size_t>((37 + i) * n + 101 + j)];
    CHECK(same);
  });
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
