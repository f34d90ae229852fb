#include "activations.hpp"

#include <algorithm>
#include <cmath>

namespace octavo::detail {
namespace {

constexpr double kOutlier = 6;      // times the rms, as trace's ValueStatistics
constexpr float kLargest = 127.0F;  // of int8, as quantize_per_token

/// b with 2^-(b+1) < ratio <= 2^-b, for 0 < ratio <= 1.
std::size_t octave(float ratio, std::size_t last) {
  int exponent = 0;
  const float fraction = std::frexp(ratio, &exponent);  // in [0.5, 1)
  const int bin = -(fraction > 0.5F ? exponent : exponent - 1);
  return std::min(static_cast<std::size_t>(std::max(0, bin)), last);
}

}  // namespace

void ActivationCollector::add(const Tensor& x) {
  const Tensor rows = x.contiguous();
  const std::int64_t height = rows.dim(0);
  const std::int64_t width = rows.dim(1);
  if (height == 0 || width == 0) return;
  column_max_.resize(static_cast<std::size_t>(width));
  const std::span<const float> values = rows.values<float>();
  if (rows_ == 0) min_ = max_ = values.front();
  double squares = 0;
  for (const float value : values) squares += double{value} * double{value};
  const double limit = kOutlier * std::sqrt(squares / static_cast<double>(values.size()));
  for (std::int64_t row = 0; row < height; ++row) {
    const auto at = values.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
    float largest = 0;
    for (const float value : at) largest = std::max(largest, std::abs(value));
    const float half_step = 0.5F * (largest / kLargest);
    for (std::size_t k = 0; k < at.size(); ++k) {
      const float size = std::abs(at[k]);
      min_ = std::min(min_, double{at[k]});
      max_ = std::max(max_, double{at[k]});
      column_max_[k] = std::max(column_max_[k], size);
      outliers_ += double{size} > limit ? 1 : 0;
      if (size > 0) {
        ++not_zero_;
        zeroed_ += size <= half_step ? 1 : 0;
        ++bins_[octave(size / largest, bins_.size() - 1)];
      } else {
        ++bins_.back();
      }
    }
  }
  squares_ += squares;
  rows_ += height;
  columns_ = width;
}

ActivationSummary ActivationCollector::summary() const {
  ActivationSummary summary;
  if (rows_ == 0) return summary;
  const auto count = static_cast<double>(rows_) * static_cast<double>(columns_);
  summary.rows = rows_;
  summary.columns = columns_;
  summary.min = min_;
  summary.max = max_;
  summary.rms = std::sqrt(squares_ / count);
  summary.outlier_ratio = static_cast<double>(outliers_) / count;
  summary.zeroed_ratio = not_zero_ > 0 ? static_cast<double>(zeroed_) / static_cast<double>(not_zero_) : 0;
  const auto largest = std::max_element(column_max_.begin(), column_max_.end());
  summary.largest_channel = largest - column_max_.begin();
  std::vector<float> sorted = column_max_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  summary.channel_ratio = *middle > 0 ? double{*largest} / double{*middle} : 0;
  for (std::size_t bin = 0; bin < bins_.size(); ++bin) summary.histogram[bin] = static_cast<double>(bins_[bin]) / count;
  return summary;
}

}  // namespace octavo::detail
