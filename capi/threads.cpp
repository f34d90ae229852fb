// Threads of loops: the process's default, and pools of a thread's own.
#include <octavo/parallel.hpp>
#include <optional>

#include "guard.hpp"

struct octavo_thread_pool {
  octavo::ThreadPool value;
};

using octavo::capi::guarded;
using octavo::capi::require;

extern "C" {

octavo_status octavo_set_num_threads(int32_t count) {
  return guarded([&] { octavo::set_num_threads(count); });
}

octavo_status octavo_thread_pool_create(int32_t count, int32_t placement, octavo_thread_pool** out) {
  return guarded([&] {
    require(out, "out");
    if (placement != OCTAVO_THREADS_ANYWHERE && placement != OCTAVO_THREADS_PINNED)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "placement is " + std::to_string(placement) + ", not one of OCTAVO_THREADS_*");
    const auto where =
        placement == OCTAVO_THREADS_PINNED ? octavo::ThreadPlacement::pinned : octavo::ThreadPlacement::anywhere;
    *out = new octavo_thread_pool{octavo::ThreadPool(count, where)};
  });
}

octavo_status octavo_thread_pool_use(const octavo_thread_pool* pool) {
  return guarded([&] {
    // The library's own note of a thread's pool is made before what is kept here, and so ends after it.
    if (pool != nullptr) const octavo::ThreadPoolScope first(pool->value);
    thread_local std::optional<octavo::ThreadPoolScope> used;
    used.reset();
    if (pool != nullptr) used.emplace(pool->value);
  });
}

void octavo_thread_pool_release(octavo_thread_pool* pool) { delete pool; }

}  // extern "C"
