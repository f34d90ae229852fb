#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "octavo/job.hpp"

namespace octavo {
namespace {

Error cancelled(const std::string& job, const std::string& stage, const std::string& outcome) {
  const std::string where = stage.empty() ? " before it began" : " at \"" + stage + "\"";
  return {ErrorCode::cancelled, job + ": cancelled" + where + "; " + outcome};
}

}  // namespace

JobProgress::JobProgress(const ProgressCallback& callback, const std::atomic<bool>* cancel, std::string job,
                         std::string outcome)
    : callback_(callback), cancel_(cancel), job_(std::move(job)), outcome_(std::move(outcome)) {}

void JobProgress::stage(std::string name) {
  progress_.stage = std::move(name);
  report();
}

void JobProgress::advance(std::int64_t count) {
  progress_.done += count;
  report();
}

void JobProgress::advance_to(std::int64_t done) {
  progress_.done = std::max(progress_.done, done);
  report();
}

void JobProgress::check_cancelled() const {
  if (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed)) throw cancelled(job_, progress_.stage, outcome_);
}

void JobProgress::report() {
  check_cancelled();
  if (callback_ && !callback_(progress_)) throw cancelled(job_, progress_.stage, outcome_);
}

std::uint64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;  // the kernel prints kB
    }
  }
  return 0;
}

}  // namespace octavo
