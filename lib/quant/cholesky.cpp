#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <utility>

#include "factor.hpp"
#include "octavo/cancel.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"

namespace octavo::quant {
namespace {

constexpr std::int64_t kBlock = 256;
constexpr std::int64_t kPanel = 4 * kBlock;

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

/// a[rows, columns] -= L[rows, terms] L[columns, terms]^T, each from its first to before its last.
void subtract_product(float* a, std::int64_t n, std::int64_t row, std::int64_t row_end, std::int64_t column,
                      std::int64_t column_end, std::int64_t term, std::int64_t term_end) {
  if (row == row_end || term == term_end) return;
  sgemm(row_end - row, column_end - column, term_end - term, a + row * n + term, n, a + column * n + term, n,
        a + row * n + column, n, {.transpose_b = true, .alpha = -1.0F, .beta = 1.0F});
}

/// C[rows,columns] to where it belongs.
void copy_rows(const float* from, std::int64_t rows, std::int64_t columns, float* to, std::int64_t ld) {
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::copy_n(from + i * columns, columns, to + i * ld);
  });
}

}  // namespace

// Left-looking: panel by panel, each first brought up to date by deep products, then block by block in itself.
bool cholesky(float* a, std::int64_t n) {
  Tensor storage = Tensor::empty(DType::f32, {n, std::min(n, kBlock)});
  auto* const solved = storage.mutable_data<float>();
  FloatRowMajor inverse;
  for (std::int64_t p = 0; p < n; p += kPanel) {
    const std::int64_t panel_end = std::min(n, p + kPanel);
    for (std::int64_t j = p; j < panel_end; j += kBlock)  // the triangle, in columns of a block
      subtract_product(a, n, j, panel_end, j, std::min(panel_end, j + kBlock), 0, p);
    subtract_product(a, n, panel_end, n, p, panel_end, 0, p);
    for (std::int64_t j = p; j < panel_end; j += kBlock) {
      check_cancelled();
      const std::int64_t width = std::min(kBlock, panel_end - j);
      subtract_product(a, n, j, n, j, j + width, p, j);
      float* const block = a + j * n + j;
      if (!factor_diagonal_block(block, n, width, inverse)) return false;
      const std::int64_t below = n - j - width;
      if (below == 0) continue;
      float* under = block + width * n;  // L21 = A21 L11^{-T}
      sgemm(below, width, width, under, n, inverse.data(), width, solved, width, {.transpose_b = true});
      copy_rows(solved, below, width, under, n);
    }
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
