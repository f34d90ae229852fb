/// How far a job is, told so that the time left can be told from it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace octavo::detail {

/// What each kind of step takes is learnt from those of its kind that have ended; what none of them has told yet is
/// taken from their costs (cost.hpp), at the speed of the steps that have. Costs need only be right beside each other,
/// and only until a kind's first steps have ended: a model's blocks repeat. Keeps no clock: the caller tells the time.
class StepTimes {
 public:
  /// A step that is still to come.
  void expect(const std::string& kind, std::int64_t cost);
  std::int64_t expected() const { return expected_; }  ///< costs of all steps

  /// The first step begins, `now` seconds after the job did.
  void begin(double now) { last_ = now; }
  /// A step has ended; it took the time since the one before it. Returns the share of the job's time that has passed,
  /// in [0, 1].
  double end(const std::string& kind, std::int64_t cost, double now);

 private:
  struct Kind {
    std::int64_t done = 0, left = 0;  ///< costs
    double seconds = 0;               ///< of what is done
  };
  double seconds_left() const;

  std::map<std::string, Kind> kinds_;
  std::int64_t expected_ = 0;
  double last_ = 0;
};

}  // namespace octavo::detail
