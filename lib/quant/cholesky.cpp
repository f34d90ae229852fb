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
/// Columns per product in the inversion: the zeros above the diagonal are skipped by whole panels.
constexpr std::int64_t kPanel = 1024;

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block =
    Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>>;

/// Replaces the diagonal block by the inverse of its Cholesky factor, through float64.
bool invert_diagonal_block(float* a, std::int64_t lda, std::int64_t size) {
  Block block(a, size, size, Eigen::OuterStride<>(lda));
  const Eigen::LLT<RowMajor, Eigen::Lower> factor(RowMajor(block.cast<double>()));
  if (factor.info() != Eigen::Success) return false;
  RowMajor inverse = RowMajor::Identity(size, size);
  factor.matrixL().solveInPlace(inverse);
  if (!inverse.allFinite()) return false;
  block = inverse.cast<float>();
  return block.allFinite();
}

/// C[rows,columns] to where it belongs.
void copy_rows(const float* from, std::int64_t rows, std::int64_t columns, float* to, std::int64_t ld) {
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::copy_n(from + i * columns, columns, to + i * ld);
  });
}

/// Left-looking: column panel by column panel, each first brought up to date by one deep product. The diagonal blocks
/// end as their inverses, since nothing reads them again but the inversion.
bool factor_panels(float* a, std::int64_t n) {
  std::vector<float> panel(static_cast<std::size_t>(n * std::min(n, kBlock)));
  for (std::int64_t j = 0; j < n; j += kBlock) {
    const std::int64_t width = std::min(kBlock, n - j);
    float* column = a + j * n + j;  // a[j:, j:j+width]
    if (j > 0) {
      sgemm(n - j, width, j, a + j * n, n, a + j * n, n, column, n,
            {.transpose_b = true, .alpha = -1.0F, .beta = 1.0F});
    }
    if (!invert_diagonal_block(column, n, width)) return false;
    const std::int64_t below = n - j - width;
    if (below == 0) continue;
    float* under = column + width * n;  // L21 = A21 L11^{-T}
    sgemm(below, width, width, under, n, column, n, panel.data(), width, {.transpose_b = true});
    copy_rows(panel.data(), below, width, under, n);
  }
  return true;
}

/// Row block by row block: M[i,:i] = -M[i,i] (L[i,:i] M[:i,:i]), where M[:i,:i] is done and M[i,i] was left by
/// factor_panels.
void invert_rows(float* a, std::int64_t n) {
  std::vector<float> product(static_cast<std::size_t>(std::min(n, kBlock) * n));
  for (std::int64_t i = kBlock; i < n; i += kBlock) {
    const std::int64_t height = std::min(kBlock, n - i);
    float* row = a + i * n;
    for (std::int64_t c = 0; c < i; c += kPanel) {
      const std::int64_t width = std::min(kPanel, i - c);
      sgemm(height, width, i - c, row + c, n, a + c * n + c, n, product.data() + c, i);
    }
    sgemm(height, i, height, row + i, n, product.data(), i, row, n, {.alpha = -1.0F});
  }
}

}  // namespace

bool invert_cholesky(float* a, std::int64_t n) {
  // The inversion reads whole panels, so what lies above the diagonal must be 0. Inside the diagonal blocks the
  // products fill it again; invert_diagonal_block reads only the lower half and leaves zeros.
  parallel_for(n, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::fill(a + i * n + i + 1, a + (i + 1) * n, 0.0F);
    }
  });
  if (!factor_panels(a, n)) return false;
  invert_rows(a, n);
  return true;
}

void mirror(float* a, std::int64_t n) {
  const std::int64_t total = n * n;
  parallel_for(total / 2, std::int64_t{1} << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::swap(a[i], a[total - 1 - i]);
  });
}

}  // namespace octavo::quant
