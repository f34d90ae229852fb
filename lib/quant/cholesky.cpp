#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <utility>
#include <vector>

#include "factor.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace octavo::quant {
namespace {

constexpr std::int64_t kBlock = 256;

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatRowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block = Eigen::Map<FloatRowMajor, 0, Eigen::OuterStride<>>;

/// Replaces the diagonal block by its Cholesky factor, through float64, and gives the factor's inverse.
bool factor_diagonal_block(float* a, std::int64_t lda, std::int64_t size, FloatRowMajor& inverse) {
  Block block(a, size, size, Eigen::OuterStride<>(lda));
  const Eigen::LLT<RowMajor, Eigen::Lower> factor(RowMajor(block.cast<double>()));
  if (factor.info() != Eigen::Success) return false;
  RowMajor solved = RowMajor::Identity(size, size);
  factor.matrixL().solveInPlace(solved);
  inverse = solved.cast<float>();
  block = RowMajor(factor.matrixL()).cast<float>();
  return inverse.allFinite() && block.allFinite();
}

/// C[rows,columns] to where it belongs.
void copy_rows(const float* from, std::int64_t rows, std::int64_t columns, float* to, std::int64_t ld) {
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::copy_n(from + i * columns, columns, to + i * ld);
  });
}

}  // namespace

// Left-looking: column panel by column panel, each first brought up to date by one deep product.
bool cholesky(float* a, std::int64_t n) {
  std::vector<float> panel(static_cast<std::size_t>(n * std::min(n, kBlock)));
  FloatRowMajor inverse;
  for (std::int64_t j = 0; j < n; j += kBlock) {
    const std::int64_t width = std::min(kBlock, n - j);
    float* column = a + j * n + j;  // a[j:, j:j+width]
    if (j > 0) {
      sgemm(n - j, width, j, a + j * n, n, a + j * n, n, column, n,
            {.transpose_b = true, .alpha = -1.0F, .beta = 1.0F});
    }
    if (!factor_diagonal_block(column, n, width, inverse)) return false;
    const std::int64_t below = n - j - width;
    if (below == 0) continue;
    float* under = column + width * n;  // L21 = A21 L11^{-T}
    sgemm(below, width, width, under, n, inverse.data(), width, panel.data(), width, {.transpose_b = true});
    copy_rows(panel.data(), below, width, under, n);
  }
  return true;
}

void mirror(float* a, std::int64_t n) {
  const std::int64_t total = n * n;
  parallel_for(total / 2, std::int64_t{1} << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::swap(a[i], a[total - 1 - i]);
  });
}

}  // namespace octavo::quant
