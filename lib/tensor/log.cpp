#include "octavo/log.hpp"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "octavo/error.hpp"

namespace octavo {

namespace {

/// Callbacks run behind the shared lock, so that setting another waits for them; they do not wait for each other.
struct Log {
  std::shared_mutex mutex;
  LogCallback callback;
};
Log& the_log() {
  static auto* const log = new Log;  // kept forever: threads may log while the process ends
  return *log;
}

constinit thread_local bool inside_callback = false;

}  // namespace

const char* log_level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      break;
  }
  return "warning";
}

void set_log(LogCallback callback, LogLevel least) {
  if (inside_callback)
    throw Error(ErrorCode::invalid_argument, "set_log: called by the log's callback: call it elsewhere");
  Log& log = the_log();
  const std::lock_guard<std::shared_mutex> lock(log.mutex);
  detail::least_log_level.store(callback ? static_cast<int>(least) : INT_MAX, std::memory_order_relaxed);
  std::swap(log.callback, callback);  // the one before is destroyed when the lock is given back
}

void detail::tell_log(LogLevel level, std::string_view module, const std::string& text) {
  if (inside_callback) return;
  Log& log = the_log();
  const std::shared_lock<std::shared_mutex> lock(log.mutex);
  if (!log.callback || !log_is_heard(level)) return;  // set anew since it was asked
  std::string line = text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  const struct Inside {
    Inside() noexcept { inside_callback = true; }
    ~Inside() { inside_callback = false; }
  } inside;
  log.callback(level, module, line);
}

}  // namespace octavo
