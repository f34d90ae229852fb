// Asking running jobs to stop.
#include <memory>
#include <octavo/cancel.hpp>
#include <utility>

#include "guard.hpp"
#include "handles.hpp"

using octavo::capi::guarded;
using octavo::capi::require;

namespace {

/// What a thread uses; keeps the flag of a handle that is released meanwhile.
struct Used {
  explicit Used(std::shared_ptr<const std::atomic<bool>> given) : flag(std::move(given)), scope(flag.get()) {}
  std::shared_ptr<const std::atomic<bool>> flag;
  octavo::CancelScope scope;
};

}  // namespace

extern "C" {

octavo_status octavo_cancel_create(octavo_cancel** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_cancel;
  });
}

void octavo_cancel_request(octavo_cancel* cancel) {
  if (cancel != nullptr) cancel->flag->store(true, std::memory_order_relaxed);
}

void octavo_cancel_reset(octavo_cancel* cancel) {
  if (cancel != nullptr) cancel->flag->store(false, std::memory_order_relaxed);
}

octavo_status octavo_cancel_use(const octavo_cancel* cancel) {
  return guarded([&] {
    thread_local std::unique_ptr<Used> used;
    used.reset();
    if (cancel != nullptr) used = std::make_unique<Used>(cancel->flag);
  });
}

void octavo_cancel_release(octavo_cancel* cancel) { delete cancel; }

}  // extern "C"
