// Progress on standard error: a bar with rate and time left on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <octavo/job.hpp>

namespace cli {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  octavo::ProgressCallback callback();
  void clear();  // before a line of output

 private:
  void show(const octavo::Progress& progress);
  using Clock = std::chrono::steady_clock;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point began_, last_;
};

}  // namespace cli
