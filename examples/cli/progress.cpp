#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace cli {

ProgressBar::ProgressBar()
    : terminal_(isatty(STDERR_FILENO) == 1), began_(Clock::now()), last_(began_ - std::chrono::hours(1)) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (terminal_ && drawn_) std::fputs("\r\x1b[K", stderr);
}

octavo::ProgressCallback ProgressBar::callback() {
  return [this](const octavo::Progress& progress) {
    show(progress);
    return true;
  };
}

void ProgressBar::show(const octavo::Progress& progress) {
  const Clock::time_point now = Clock::now();
  const bool finished = progress.total > 0 && progress.done >= progress.total;
  if (!finished && now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(3000))) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  const double share =
      progress.total > 0 ? static_cast<double>(progress.done) / static_cast<double>(progress.total) : 0;
  const double rate = seconds > 0 ? static_cast<double>(progress.done) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(progress.total - progress.done) / rate : 0;
  if (terminal_) {
    constexpr int kWidth = 30;
    char bar[kWidth + 1];
    for (int i = 0; i < kWidth; ++i) bar[i] = i < static_cast<int>(share * kWidth) ? '#' : '.';
    bar[kWidth] = '\0';
    std::fprintf(stderr, "\r\x1b[K[%s] %3.0f %%  %.1f steps/s  %.0f s left  %s", bar, share * 100, rate, left,
                 progress.stage.c_str());
  } else {
    std::fprintf(stderr, "%3.0f %%  %.1f steps/s  %.0f s left  %s\n", share * 100, rate, left, progress.stage.c_str());
  }
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace cli
