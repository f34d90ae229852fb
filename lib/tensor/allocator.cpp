#include "octavo/allocator.hpp"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "octavo/error.hpp"

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

void set_allocator(const Allocator& allocator) {
  if (allocator.allocate == nullptr && allocator.release == nullptr) return current.store(&kSystem);
  if (allocator.allocate == nullptr || allocator.release == nullptr)
    throw Error(ErrorCode::invalid_argument, "set_allocator: one of the two functions is null");
  // Kept for good, since buffers point to theirs: also while the process ends, when static objects are destroyed.
  static std::mutex mutex;
  static auto& known = *new std::deque<Allocator>;
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Allocator& each : known)
    if (each.allocate == allocator.allocate && each.release == allocator.release &&
        each.user_data == allocator.user_data)
      return current.store(&each);
  current.store(&known.emplace_back(allocator));
}

namespace detail {

const Allocator& current_allocator() noexcept { return *current.load(); }
const Allocator& system_allocator() noexcept { return kSystem; }

}  // namespace detail

}  // namespace octavo
