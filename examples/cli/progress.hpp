// Progress on standard error: a bar with time left on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <octavo/job.hpp>
#include <string>

namespace cli {

class ProgressBar {
 public:
  explicit ProgressBar(bool quiet = false);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  octavo::ProgressCallback callback();
  void clear();  // before a line of output

 private:
  void show(const octavo::Progress& progress);
  using Clock = std::chrono::steady_clock;
  bool terminal_, quiet_, drawn_ = false;
  Clock::time_point began_, last_;
};

/// What stands after the bar: share, time left and stage. Time left is left out until a second and a hundredth of the
/// work have passed: before that it would be a guess.
std::string progress_text(const octavo::Progress& progress, double seconds);
/// Bar and text in at most `columns`: the bar takes what is left of them, up to 30, and gives way to the text.
std::string progress_line(const octavo::Progress& progress, double seconds, std::size_t columns);

}  // namespace cli
