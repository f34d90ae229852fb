/// @file
/// What the library decided, told as it happens to whoever asks: which backend multiplies and why not a faster one,
/// what of a model's files is not honoured, what was packed, converted or let go, how many threads loops run on.
///
///     set_log([](LogLevel, std::string_view module, std::string_view text) { std::clog << module << ": " << text <<
///     '\n'; });
///
/// Nothing is written anywhere otherwise. Without a callback a message costs one load of an atomic number.
#pragma once

#include <atomic>
#include <climits>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace octavo {

enum class LogLevel : std::uint8_t {
  debug,    ///< what happens many times: one weight packed, one prompt let go by a prefix cache
  info,     ///< what is decided once: backends, threads, a model opened
  warning,  ///< what was asked for and is not done: settings of a model's files, threads that the system refuses
};

/// "debug", "info", "warning".
const char* log_level_name(LogLevel level) noexcept;

/// @param module  Of docs/architecture.md: "gemm", "model".
/// @param text    One line, without its end. Both are valid during the call.
using LogCallback = std::function<void(LogLevel level, std::string_view module, std::string_view text)>;

/// Of the process: messages of `least` and above go to `callback`, on the thread that makes them, at once from several
/// threads. Empty: to nobody. When this returns, the callback before is not running and never called again.
/// The callback must return soon, must not call Octavo, and must not wait for a thread that does; what it throws is
/// dropped. What is logged inside a callback goes to nobody.
/// @throws Error  invalid_argument from inside a callback.
void set_log(LogCallback callback, LogLevel least = LogLevel::info);

namespace detail {
inline constinit std::atomic<int> least_log_level{INT_MAX};
void tell_log(LogLevel level, std::string_view module, const std::string& text);
}  // namespace detail

/// Whether anybody hears messages of that level.
inline bool log_is_heard(LogLevel level) noexcept {
  return static_cast<int>(level) >= detail::least_log_level.load(std::memory_order_relaxed);
}

/// `text()` makes the message, when somebody hears it. A message that can't be made or told changes nothing else.
template <class Text>
void log_line(LogLevel level, std::string_view module, Text&& text) noexcept {
  if (!log_is_heard(level)) return;
  try {
    detail::tell_log(level, module, text());
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace octavo
