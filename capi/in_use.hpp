// Handles that serve one call at a time: a second one, of another thread or of a callback, is told so instead of
// spoiling what the first is doing.
#pragma once

#include <atomic>
#include <octavo/error.hpp>
#include <string>
#include <thread>

namespace octavo::capi {

/// In a handle: the thread whose call it serves.
using Caller = std::atomic<std::thread::id>;

/// While one lives, the handle serves this call.
class InUse {
 public:
  /// `nested`: calls of callbacks pass, since what they reach refuses what it must.
  /// @throws Error  invalid_argument when it serves another call.
  InUse(Caller& caller, const char* name, bool nested = false) : caller_(caller) {
    std::thread::id before{};
    const std::thread::id own = std::this_thread::get_id();
    owns_ = caller.compare_exchange_strong(before, own, std::memory_order_acquire);
    if (owns_ || (nested && before == own)) return;
    throw Error(ErrorCode::invalid_argument,
                std::string(name) + (before == own ? " is in a call already, whose callback called it again"
                                                   : " is in a call of another thread: it serves one at a time"));
  }
  ~InUse() {
    if (owns_) caller_.store({}, std::memory_order_release);
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  Caller& caller_;
  bool owns_ = false;
};

}  // namespace octavo::capi
