/// The arithmetic of a comparison: how two matrices, or a matrix and its int8 form, stand to each other. Reads mapped
/// tensors row by row; allocates a few rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "octavo/compare.hpp"
#include "octavo/tensor.hpp"

namespace octavo::detail {

/// A relative error up to here is the same matrix, quantized; that of an unrelated one is about 1.4. Rounding gives
/// about 0.01 and GPTQ on few samples up to about 0.1.
constexpr double kResembles = 0.3;
/// How far stored scales may be from those that fit the int8 values best, on average and in any row. Rounding to bf16
/// is 0.002, clipping and GPTQ's moves stay below 0.02.
constexpr double kScaleErrorMean = 0.03;
constexpr double kScaleErrorMax = 0.15;

/// A fit and what it would be with the scales, or the input columns, left free: which of the two is at fault.
struct DetailedFit {
  LinearFit fit;
  double row_free_error = 0;     ///< relative error with the best scale per row
  double column_free_error = 0;  ///< with the stored scales and the best factor per column; 0 when the fit is good
  bool good() const;             ///< the int8 linear is this weight, and its scales are right
};

/// w[N,K] f32|bf16|f16, q[N,K] s8, scales[N]. `factors`, when not empty, multiply w's K columns first (a folded norm).
DetailedFit fit_linear(const Tensor& w, const Tensor& q, std::span<const float> scales, std::span<const float> factors);

/// ||a - r b|| / ||a|| over a sample of rows, r free per row: 0 for the same matrix, however its rows are scaled.
/// a[N,K], b[N,K], or b[K,N] when `transposed`; any element types.
double sampled_residual(const Tensor& a, const Tensor& b, bool transposed);

/// Mean |ln(s_n * 127.5 / max|w_n|)| over a sample of rows: near 0 when the scales were taken from w. w[N,K].
double sampled_scale_distance(std::span<const float> scales, const Tensor& w);

/// Two float tensors of one shape, element by element.
struct PlainDifference {
  double max_abs = 0;         ///< NaN where exactly one side is NaN
  double relative_error = 0;  ///< ||a - b|| / ||a||
};
/// a and b f32|bf16|f16 of the same shape, contiguous. `factors`, when not empty, multiply a's last dimension first.
PlainDifference plain_difference(const Tensor& a, const Tensor& b, std::span<const float> factors = {});

/// `count` elements of a contiguous tensor from `begin`, as f32.
void read_floats(const Tensor& tensor, std::int64_t begin, std::int64_t count, float* out);

}  // namespace octavo::detail
