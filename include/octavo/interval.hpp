/// @file
/// How sure a share is that was counted on a few samples: intervals of 95 % confidence, and whether two models differ
/// that answered the same samples. With 40 samples a share of 95 % is anything from 83 % to 99 %.
#pragma once

#include <cstdint>

namespace octavo {

struct Interval {
  double low = 0, high = 0;
};

/// The confidence of every interval here.
inline constexpr double kConfidence = 0.95;

/// What the true share may be when `right` of `total` were right; 0 to 1 of none.
/// Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", without a correction
/// for continuity.
/// @throws Error  invalid_argument: a negative count, or more right than there are.
Interval share_interval(std::int64_t right, std::int64_t total);

/// Two models' answers to the same samples, by which of the two are right.
struct PairedCounts {
  std::int64_t both = 0, first_only = 0, second_only = 0, neither = 0;

  std::int64_t total() const noexcept { return both + first_only + second_only + neither; }
  void add(bool first, bool second) noexcept;
};

/// What the true difference of the shares may be, the first's less the second's; -1 to 1 of no samples.
/// Source: Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on
/// paired data", method 10: two Wilson intervals and their correlation.
Interval difference_interval(const PairedCounts& counts);

/// How likely samples on which the models differ would be shared out at least as unevenly if neither was better; 1
/// where they never differ. Source: McNemar's test (1947), exact and two-sided.
double mcnemar_p(const PairedCounts& counts);

}  // namespace octavo
