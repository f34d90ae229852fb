#include "memory_pool.hpp"

#include <algorithm>
#include <utility>

#include "octavo/detail/huge_pages.hpp"

namespace octavo {

namespace {

thread_local std::shared_ptr<MemoryPool::State> current;

}  // namespace

namespace detail {

Pool current_pool() noexcept { return {current, &current_allocator()}; }

void* allocate_block(const Allocator& allocator, std::size_t bytes) {
  const bool large = bytes >= kHugePage;
  void* block = allocator.allocate(bytes, large ? kHugePage : MemoryPool::State::kAlignment, allocator.user_data);
  if (large && block != nullptr) advise_huge_pages(block, bytes);
  return block;
}

void* take(const Pool& pool, std::size_t bytes) {
  if (pool.state != nullptr) return pool.state->take(bytes);
  return allocate_block(*pool.allocator, std::max<std::size_t>(bytes, 1));
}

void give_back(const Pool& pool, void* memory, std::size_t bytes) noexcept {
  if (pool.state != nullptr) return pool.state->give_back(memory, bytes);
  if (memory != nullptr) pool.allocator->release(memory, std::max<std::size_t>(bytes, 1), pool.allocator->user_data);
}

}  // namespace detail

MemoryPool::MemoryPool() : state_(std::make_shared<State>()) {}

std::size_t MemoryPool::held_bytes() const noexcept {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->held;
}

std::size_t MemoryPool::taken_bytes() const noexcept {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->taken;
}

void MemoryPool::trim() { state_->trim(); }

MemoryPoolScope::MemoryPoolScope(const MemoryPool& pool) noexcept : previous_(std::exchange(current, pool.state_)) {}

MemoryPoolScope::MemoryPoolScope(std::nullptr_t) noexcept : previous_(std::exchange(current, nullptr)) {}

MemoryPoolScope::~MemoryPoolScope() { current = std::move(previous_); }

}  // namespace octavo
