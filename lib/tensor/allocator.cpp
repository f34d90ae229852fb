#include "octavo/allocator.hpp"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "octavo/detail/thread_memory.hpp"
#include "octavo/error.hpp"
#include "thread_pool.hpp"

namespace octavo {

namespace {

void* allocate_from_system(std::size_t size_bytes, std::size_t alignment, void*) {
  const std::size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  return rounded < size_bytes ? nullptr : std::aligned_alloc(alignment, rounded);
}

void release_to_system(void* memory, std::size_t, void*) { std::free(memory); }

constexpr Allocator kSystem{allocate_from_system, release_to_system, nullptr};
constinit std::atomic<const Allocator*> current{&kSystem};

}  // namespace

namespace {

/// Allocators are kept for good, since buffers point to theirs: also while the process ends, when static objects are
/// destroyed.
const Allocator& kept(const Allocator& allocator) {
  if (allocator.allocate == nullptr && allocator.release == nullptr) return kSystem;
  static std::mutex mutex;
  static auto& known = *new std::deque<Allocator>;
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Allocator& each : known)
    if (each.allocate == allocator.allocate && each.release == allocator.release &&
        each.user_data == allocator.user_data)
      return each;
  return known.emplace_back(allocator);
}

}  // namespace

void set_allocator(const Allocator& allocator) {
  if ((allocator.allocate == nullptr) != (allocator.release == nullptr))
    throw Error(ErrorCode::invalid_argument, "set_allocator: one of the two functions is null");
  if (ThreadPool::State::inside_body())
    throw Error(ErrorCode::invalid_argument, "set_allocator: called from inside a parallel loop; call it between jobs");
  const Allocator& next = kept(allocator);
  if (current.exchange(&next) == &next) return;
  // What threads keep goes back now, where that can be: the pools' own end and start anew when they are needed.
  ThreadPool::State::end_all_workers();
  detail::release_thread_memory();
}

namespace detail {

const Allocator& current_allocator() noexcept { return *current.load(); }
const Allocator& system_allocator() noexcept { return kSystem; }

}  // namespace detail

}  // namespace octavo
