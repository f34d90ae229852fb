#include "factor.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <vector>

#include "octavo/gemm.hpp"

namespace octavo::quant {

namespace {

constexpr std::int64_t kBlock = 128;    // diagonal blocks: in float64, by Eigen
constexpr std::int64_t kStripe = 1024;  // columns per product, so that little above the diagonal is computed

using Small = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Factors the diagonal block at `at` and leaves L in it; `inverse` receives L^-1, zeros above the diagonal.
bool factor_block(float* a, std::int64_t k, std::int64_t at, std::int64_t size, std::vector<float>& inverse) {
  Small block(size, size);
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j < size; ++j) block(i, j) = a[(at + std::max(i, j)) * k + at + std::min(i, j)];
  if (!block.allFinite()) return false;
  const Eigen::LLT<Small> factor(block);
  if (factor.info() != Eigen::Success) return false;
  const Small lower = factor.matrixL();
  const Small inverted = lower.triangularView<Eigen::Lower>().solve(Small::Identity(size, size));
  if (!inverted.allFinite()) return false;
  inverse.assign(static_cast<std::size_t>(size * size), 0.0F);
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      a[(at + i) * k + at + j] = static_cast<float>(lower(i, j));
      inverse[static_cast<std::size_t>(i * size + j)] = static_cast<float>(inverted(i, j));
    }
  return true;
}

}  // namespace

bool cholesky_inverse_lower(float* a, std::int64_t k) {
  std::vector<float> inverse;
  std::vector<float> panel;
  std::vector<std::vector<float>> inverses;
  for (std::int64_t at = 0; at < k; at += kBlock) {
    const std::int64_t size = std::min(kBlock, k - at);
    if (!factor_block(a, k, at, size, inverse)) return false;
    inverses.push_back(inverse);
    const std::int64_t below = k - at - size;
    if (below == 0) break;
    // panel = A[below, at] L^-T, kept and written back
    panel.resize(static_cast<std::size_t>(below * size));
    float* rows = a + (at + size) * k;
    sgemm(below, size, size, rows + at, k, inverse.data(), size, panel.data(), size, {.transpose_b = true});
    for (std::int64_t i = 0; i < below; ++i) std::copy_n(panel.data() + i * size, size, rows + i * k + at);
    // trailing -= panel panel^T, the lower triangle by stripes of columns
    for (std::int64_t j = 0; j < below; j += kStripe) {
      const std::int64_t width = std::min(kStripe, below - j);
      sgemm(below - j, width, size, panel.data() + j * size, size, panel.data() + j * size, size,
            rows + j * k + at + size + j, k, {.transpose_b = true, .alpha = -1.0F, .beta = 1.0F});
    }
  }
  // X = L^-1, row of blocks by row: X[i, j] = -L_ii^-1 (sum over m of L[i, m] X[m, j]).
  std::vector<float> sum(static_cast<std::size_t>(kBlock * k));
  for (std::int64_t at = 0; at < k; at += kBlock) {
    const std::int64_t size = std::min(kBlock, k - at);
    const std::vector<float>& diagonal = inverses[static_cast<std::size_t>(at / kBlock)];
    float* row = a + at * k;
    for (std::int64_t j = 0; j < at; j += kStripe) {
      const std::int64_t width = std::min(kStripe, at - j);
      // Inside the stripe's own square X is lower triangular: what lies above its diagonal must not count.
      for (std::int64_t i = j; i < j + width; ++i) std::fill(a + i * k + i + 1, a + i * k + j + width, 0.0F);
      sgemm(size, width, at - j, row + j, k, a + j * k + j, k, sum.data() + j, k);
    }
    if (at > 0) sgemm(size, at, size, diagonal.data(), size, sum.data(), k, row, k, {.alpha = -1.0F});
    for (std::int64_t i = 0; i < size; ++i) std::copy_n(diagonal.data() + i * size, i + 1, row + i * k + at);
  }
  for (std::int64_t i = 0; i < k; ++i)
    if (!std::isfinite(a[i * k + i])) return false;
  return true;
}

}  // namespace octavo::quant
