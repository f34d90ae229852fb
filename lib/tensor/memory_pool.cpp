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

void* take(const Pool& pool, std::size_t bytes) {
  if (pool.state != nullptr) return pool.state->take(bytes);
  return pool.allocator->allocate(std::max<std::size_t>(bytes, 1), MemoryPool::State::kAlignment,
                                  pool.allocator->user_data);
}

void give_back(const Pool& pool, void* memory, std::size_t bytes) noexcept {
  if (pool.state != nullptr) return pool.state->give_back(memory, bytes);
  if (memory != nullptr) pool.allocator->release(memory, std::max<std::size_t>(bytes, 1), pool.allocator->user_data);
}

void trim(const Pool& pool) noexcept {
  if (pool.state != nullptr) pool.state->trim();
}

}  // namespace detail

void* MemoryPool::State::allocate(std::size_t size) {
  const bool large = size >= detail::kHugePage;
  void* block = allocator.allocate(size, large ? detail::kHugePage : kAlignment, allocator.user_data);
  if (large && block != nullptr) detail::advise_huge_pages(block, size);
  return block;
}

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
