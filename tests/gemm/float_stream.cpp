// Few rows by weights as stored, by every instruction set that has a way of its own: where whole numbers take int8
// weights, layers do not come here, so that it is called by hand.
#include <cstring>

#include "catch.hpp"
#include "kernels/cpu.hpp"
#include "kernels/float_product.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::gemm::FloatProduct;

namespace {

using Stream = void (*)(const FloatProduct&, std::int64_t, std::int64_t);

// In two parts, the second of an odd number of columns.
std::vector<float> streamed(Stream stream, const Tensor& x, const Tensor& w) {
  std::vector<float> y(static_cast<std::size_t>(x.dim(0) * w.dim(0)), -7.0F);
  const FloatProduct p{.x = x.data<float>(),
                       .m = x.dim(0),
                       .n = w.dim(0),
                       .k = x.dim(1),
                       .weight = w.raw(),
                       .dtype = w.dtype(),
                       .scale = nullptr,
                       .bias = nullptr,
                       .y = y.data()};
  const std::int64_t first = p.n / 8 * 4;
  stream(p, 0, first);
  stream(p, first, p.n - first);
  return y;
}

}  // namespace

TEST_CASE("few rows by weights as stored are float32's products on AVX2, and the same bits on AVX-512") {
  if (!octavo::gemm::has_avx2()) {
    WARN("this processor has no AVX2: nothing is tested");
    return;
  }
  if (!octavo::gemm::has_avx512()) WARN("this processor has no AVX-512: AVX2 is compared with float64 alone");
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::s8})
    for (const std::int64_t k : {1, 7, 8, 15, 16, 17, 33, 200, 2048})
      for (const std::int64_t n : {1, 2, 3, 5, 9, 17})
        for (const std::int64_t m : {1, 2, 3, 4, 8}) {
          const Tensor x = random(m, k, static_cast<unsigned>(k));
          const Tensor w = dtype == DType::s8 ? random_s8(n, k, 2) : random(n, k, 2).to(dtype);
          const Tensor wide = w.to(DType::f32);
          const std::vector<float> y = streamed(octavo::gemm::stream_rows_avx2, x, w);
          INFO(octavo::dtype_name(dtype) << " m " << m << " n " << n << " k " << k);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
              double sum = 0, size = 0;
              for (std::int64_t c = 0; c < k; ++c) {
                const double term = double{x.data<float>()[i * k + c]} * double{wide.data<float>()[j * k + c]};
                sum += term;
                size += std::fabs(term);
              }
              REQUIRE(std::fabs(double{y[static_cast<std::size_t>(i * n + j)]} - sum) <= 1e-6 * size);
            }
          if (!octavo::gemm::has_avx512()) continue;
          const std::vector<float> by_avx512 = streamed(octavo::gemm::stream_rows_avx512, x, w);
          REQUIRE(std::memcmp(y.data(), by_avx512.data(), y.size() * sizeof(float)) == 0);
        }
}
