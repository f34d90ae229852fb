/// @file
/// Ending what a thread is doing, from another thread or a signal handler.
///
///     std::atomic<bool> stop{false};               // set by somebody else
///     const CancelScope scope(&stop);
///     session.feed(prompt);                        // throws Error(cancelled) soon after it is set
///
/// Whatever takes long looks at it as it goes: before every layer of a model, every block of columns of GPTQ, every
/// part of a checkpoint that is opened, compared or written. What ends so leaves behind what it would after any other
/// failure; generations give the answer so far, as with GenerateOptions::cancel. Options and jobs that bring a flag of
/// their own look at both.
#pragma once

#include <atomic>
#include <utility>

#include "octavo/error.hpp"

namespace octavo {

namespace detail {
/// What a thread looks at. Not for direct use.
struct CancelFlags {
  const std::atomic<bool>* scope = nullptr;  ///< a CancelScope's
  const std::atomic<bool>* job = nullptr;    ///< of what it works for
};
inline thread_local constinit CancelFlags cancel_flags{};

/// While one lives, its thread looks at these: those of the thread that it helps. Not for direct use.
class CancelFlagsScope {
 public:
  explicit CancelFlagsScope(CancelFlags flags) noexcept : previous_(std::exchange(cancel_flags, flags)) {}
  ~CancelFlagsScope() { cancel_flags = previous_; }
  CancelFlagsScope(const CancelFlagsScope&) = delete;
  CancelFlagsScope& operator=(const CancelFlagsScope&) = delete;

 private:
  CancelFlags previous_;
};
}  // namespace detail

/// While one lives, its thread looks at `flag`, which must outlive it; null: at none. Scopes nest; the innermost
/// serves.
class CancelScope {
 public:
  explicit CancelScope(const std::atomic<bool>* flag) noexcept
      : previous_(std::exchange(detail::cancel_flags.scope, flag)) {}
  ~CancelScope() { detail::cancel_flags.scope = previous_; }
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

 private:
  const std::atomic<bool>* previous_;
};

/// Whether the calling thread's flag is set.
inline bool cancel_requested() noexcept {
  const auto set = [](const std::atomic<bool>* flag) {
    return flag != nullptr && flag->load(std::memory_order_relaxed);
  };
  return set(detail::cancel_flags.scope) || set(detail::cancel_flags.job);
}

/// For loops that take long. @throws Error  cancelled.
inline void check_cancelled() {
  if (cancel_requested()) throw Error(ErrorCode::cancelled, "cancelled by the caller");
}

}  // namespace octavo
