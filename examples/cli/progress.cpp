#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace cli {

namespace {

double share_of(const octavo::Progress& progress) {
  if (progress.total <= 0) return 0;
  return std::clamp(static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0);
}

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// The first `columns` characters of UTF-8: a stage may name a file.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U && characters++ == columns) return text.substr(0, i);
  return text;
}

}  // namespace

ProgressBar::ProgressBar(bool quiet)
    : terminal_(isatty(STDERR_FILENO) == 1),
      quiet_(quiet),
      began_(Clock::now()),
      last_(began_ - std::chrono::hours(1)) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (!terminal_ || !drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

octavo::ProgressCallback ProgressBar::callback() {
  return [this](const octavo::Progress& progress) {
    show(progress);
    return true;
  };
}

std::string progress_text(const octavo::Progress& progress, double seconds) {
  char text[96];
  const double share = share_of(progress);
  std::snprintf(text, sizeof text, "%3.0f %%", share * 100);
  std::string line = text;
  if (seconds >= 1 && share >= 0.01 && share < 1) {
    std::snprintf(text, sizeof text, "  %.0f s left", std::max(1.0, seconds * (1 - share) / share));
    line += text;
  }
  return line + "  " + progress.stage;
}

std::string progress_line(const octavo::Progress& progress, double seconds, std::size_t columns) {
  constexpr std::size_t kLongestBar = 30;
  constexpr std::size_t kShortestBar = 5;
  const std::string text = progress_text(progress, seconds);
  if (columns < text.size() + kShortestBar + 3) return cut(text, columns);
  const std::size_t length = std::min(kLongestBar, columns - text.size() - 3);
  const auto filled = static_cast<std::size_t>(share_of(progress) * static_cast<double>(length));
  return "[" + std::string(filled, '#') + std::string(length - filled, '.') + "] " + text;
}

void ProgressBar::show(const octavo::Progress& progress) {
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  const bool finished = progress.total > 0 && progress.done >= progress.total;
  if (!finished && now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(3000))) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  if (terminal_)
    // One column stays free: a full line would make some terminals wrap.
    std::fprintf(stderr, "\r\x1b[K%s", progress_line(progress, seconds, terminal_columns() - 1).c_str());
  else
    std::fprintf(stderr, "%s\n", progress_text(progress, seconds).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace cli
