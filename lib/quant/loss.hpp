/// The objective of a quantized layer, which is reported and decides nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace octavo::quant {

/// tr(D H D^T) of difference[rows,k] and symmetric h[k,k], in half the operations of the plain form. Fixed order of
/// summation. `h` null: H = I.
double quadratic_error(const float* difference, std::int64_t rows, const float* h, std::int64_t k);

/// The rows of a layer from which its losses are told. Each row has a loss of its own, which grows with the square of
/// its scale, so that evenly spaced ones, weighed by that, tell the sum at a small part of the cost.
class LossRows {
 public:
  /// w[n,k], which must stay, and the scale of each row. `most`: rows to take, 0 for all.
  LossRows(const float* w, std::int64_t n, std::int64_t k, const std::vector<float>& scales, std::int64_t most);
  /// tr((W-Q) H (W-Q)^T) for q[n,k], and for the rows rounded to nearest.
  double of(const std::int8_t* q, const float* h) const;
  double of_round_to_nearest(const float* h) const;

 private:
  std::int64_t row(std::int64_t index) const { return index * n_ / count_; }
  const float* weights() const { return taken_.empty() ? all_ : taken_.data(); }
  double of_rows(const std::int8_t* q, const float* h) const;

  std::int64_t n_, k_, count_;
  const float* all_;
  std::vector<float> taken_;  // [count,k]; empty where all rows are
  std::vector<float> scales_;
  double share_ = 1;  // of the sum over all rows
};

}  // namespace octavo::quant
