#include "octavo/interval.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "octavo/error.hpp"

namespace octavo {
namespace {

constexpr double kZ = 1.959963984540054;  // of the normal distribution, two-sided, at kConfidence

}  // namespace

Interval share_interval(std::int64_t right, std::int64_t total) {
  if (right < 0 || total < right)
    throw Error(ErrorCode::invalid_argument,
                "share_interval: " + std::to_string(right) + " right of " + std::to_string(total));
  if (total == 0) return {0, 1};
  const auto n = static_cast<double>(total);
  const double share = static_cast<double>(right) / n;
  const double shrink = 1 + kZ * kZ / n;
  const double middle = (share + kZ * kZ / (2 * n)) / shrink;
  const double half = kZ * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n)) / shrink;
  // At the ends the formula gives 0 and 1 but for rounding.
  return {right == 0 ? 0 : std::max(0.0, middle - half), right == total ? 1 : std::min(1.0, middle + half)};
}

void PairedCounts::add(bool first, bool second) noexcept {
  ++(first && second ? both : first ? first_only : second ? second_only : neither);
}

Interval difference_interval(const PairedCounts& counts) {
  if (counts.total() == 0) return {-1, 1};
  const auto a = static_cast<double>(counts.both), b = static_cast<double>(counts.first_only),
             c = static_cast<double>(counts.second_only), d = static_cast<double>(counts.neither);
  const double n = a + b + c + d;
  const double first = (a + b) / n, second = (a + c) / n;
  const Interval one = share_interval(counts.both + counts.first_only, counts.total());
  const Interval other = share_interval(counts.both + counts.second_only, counts.total());
  // The correlation of the two; where it is positive, with a correction for continuity.
  const double size = std::sqrt((a + b) * (c + d) * (a + c) * (b + d));
  double product = a * d - b * c;
  if (product > 0) product = std::max(product - n / 2, 0.0);
  const double correlation = size > 0 ? product / size : 0;
  const auto distance = [&](double x, double y) {
    return std::sqrt(std::max(0.0, x * x - 2 * correlation * x * y + y * y));
  };
  const double difference = first - second;
  return {std::max(-1.0, difference - distance(first - one.low, other.high - second)),
          std::min(1.0, difference + distance(one.high - first, second - other.low))};
}

double mcnemar_p(const PairedCounts& counts) {
  const std::int64_t differ = counts.first_only + counts.second_only;
  const std::int64_t fewer = std::min(counts.first_only, counts.second_only);
  // P(X <= fewer) of a binomial with 1/2, by logarithms so that thousands of samples neither vanish nor overflow.
  const auto n = static_cast<double>(differ);
  double sum = 0;
  for (std::int64_t k = 0; k <= fewer; ++k) {
    const auto x = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) - n * std::log(2.0));
  }
  return std::min(1.0, 2 * sum);
}

}  // namespace octavo
