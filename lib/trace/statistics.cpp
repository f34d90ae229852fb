#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "octavo/trace.hpp"

namespace octavo {

namespace {

constexpr std::size_t kGroups = 64;
constexpr double kOutlier = 6;

// splitmix64's finaliser (Steele, Lea, Flood 2014): every bit of the index reaches group and sign.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

}  // namespace

ValueStatistics statistics_of(const Tensor& x) {
  const Tensor wide = x.to(DType::f32).contiguous();
  const std::span<const float> values = wide.values<float>();
  ValueStatistics result;
  result.count = wide.numel();
  std::array<double, kGroups> sums{};
  double squares = 0;
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -smallest;
  std::int64_t finite = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value{values[i]};
    if (std::isnan(value)) {
      ++result.nan_count;
      continue;
    }
    if (std::isinf(value)) {
      ++result.inf_count;
      continue;
    }
    ++finite;
    squares += value * value;
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
    const std::uint64_t hash = mixed(i);
    sums[hash % kGroups] += (hash >> 63U) != 0 ? value : -value;
  }
  for (const double sum : sums) result.sketch.push_back(static_cast<float>(sum));
  if (finite == 0) return result;
  result.min = smallest;
  result.max = largest;
  result.rms = std::sqrt(squares / static_cast<double>(finite));
  std::int64_t outliers = 0;
  for (const float value : values)
    outliers += std::isfinite(value) && std::fabs(double{value}) > kOutlier * result.rms ? 1 : 0;
  result.outlier_ratio = static_cast<double>(outliers) / static_cast<double>(finite);
  return result;
}

double relative_difference(const ValueStatistics& a, const ValueStatistics& b) {
  if (a.count != b.count || a.sketch.size() != b.sketch.size())
    throw Error(ErrorCode::invalid_argument, "relative_difference: statistics of " + std::to_string(a.count) +
                                                 " values against those of " + std::to_string(b.count) +
                                                 ": only tensors of one size can be compared");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.nan_count != b.nan_count || a.inf_count != b.inf_count) return kInfinity;
  double squares = 0;
  for (std::size_t i = 0; i < a.sketch.size(); ++i) {
    const double apart = double{a.sketch[i]} - double{b.sketch[i]};
    squares += apart * apart;
  }
  if (squares == 0) return 0;
  const auto finite = static_cast<double>(a.count - a.nan_count - a.inf_count);
  const double norm = a.rms * std::sqrt(finite);
  return norm == 0 ? kInfinity : std::sqrt(squares) / norm;
}

}  // namespace octavo
