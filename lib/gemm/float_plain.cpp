// Float products on any processor: dot products for few rows, panels widened for sgemm for more.
#include <algorithm>

#include "dot.hpp"
#include "kernels/float_product.hpp"
#include "octavo/parallel.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // weights of a part, some 20 us
constexpr std::int64_t kPanelValues = 1 << 20;  // float32 values of a widened panel: 4 MiB, stays in cache

// y = x W^T over the weight as stored.
void multiply(const FloatProduct& p) {
  const std::int64_t m = p.m, n = p.n, k = p.k;
  const float* x = p.x;
  float* y = p.y;
  const auto* bytes = static_cast<const std::byte*>(p.weight);
  const auto row = [&](std::int64_t j) { return bytes + static_cast<std::size_t>(j * k) * size_of(p.dtype); };
  if (m <= kFewRows) {
    parallel_for(n, std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, k)),
                 [&](std::int64_t begin, std::int64_t end) {
                   few_rows(x, m, row(begin), p.dtype, end - begin, k, y + begin, n);
                 });
    return;
  }
  if (p.dtype == DType::f32) {
    sgemm(m, n, k, x, k, static_cast<const float*>(p.weight), k, y, n, {.transpose_b = true});
    return;
  }
  // Narrower weights are widened a panel of rows at a time, never as a whole.
  const std::int64_t rows = std::min(n, std::max<std::int64_t>(16, kPanelValues / std::max<std::int64_t>(1, k)));
  Tensor wide = Tensor::empty(DType::f32, {rows, k});
  float* panel = wide.mutable_data<float>();
  for (std::int64_t begin = 0; begin < n; begin += rows) {
    const std::int64_t count = std::min(rows, n - begin);
    parallel_for(count, 16, [&](std::int64_t first, std::int64_t last) {
      widen(row(begin + first), p.dtype, (last - first) * k, panel + first * k);
    });
    sgemm(m, count, k, x, k, panel, k, y + begin, n, {.transpose_b = true});
  }
}

}  // namespace

void plain_float_product(const FloatProduct& p) {
  multiply(p);
  if (p.scale == nullptr && p.bias == nullptr) return;
  parallel_for(p.m, std::max<std::int64_t>(1, 32768 / p.n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* row = p.y + i * p.n;
      if (p.scale != nullptr)
        for (std::int64_t j = 0; j < p.n; ++j) row[j] *= p.scale[j];
      if (p.bias != nullptr)
        for (std::int64_t j = 0; j < p.n; ++j) row[j] += p.bias[j];
    }
  });
}

}  // namespace octavo::gemm
