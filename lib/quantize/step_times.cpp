#include "step_times.hpp"

#include <algorithm>

namespace octavo::detail {
namespace {

/// The part of a kind whose steps are believed only together with the job's other steps: a small step first, or a slow
/// one, says little about large ones.
constexpr double kUnsurePart = 0.002;

}  // namespace

void StepTimes::expect(const std::string& kind, std::int64_t cost) {
  kinds_[kind].left += cost;
  expected_ += cost;
}

double StepTimes::end(const std::string& kind, std::int64_t cost, double now) {
  Kind& its = kinds_[kind];
  its.done += cost;
  its.left = std::max<std::int64_t>(0, its.left - cost);
  its.seconds += now - last_;
  last_ = now;
  const double left = seconds_left();
  return left > 0 ? now / (now + left) : 1;
}

double StepTimes::seconds_left() const {
  double done = 0, seconds = 0;
  for (const auto& [name, kind] : kinds_) {
    done += static_cast<double>(kind.done);
    seconds += kind.seconds;
  }
  const double usual = done > 0 ? seconds / done : 0;
  double left = 0;
  for (const auto& [name, kind] : kinds_) {
    const double unsure = kUnsurePart * static_cast<double>(kind.done + kind.left);
    const double known = static_cast<double>(kind.done) + unsure;
    if (known > 0) left += static_cast<double>(kind.left) * (kind.seconds + usual * unsure) / known;
  }
  return left;
}

}  // namespace octavo::detail
