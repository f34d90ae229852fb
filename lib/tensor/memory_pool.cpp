#include "memory_pool.hpp"

#include <utility>

namespace octavo {

namespace {

thread_local std::shared_ptr<MemoryPool::State> current;

}  // namespace

namespace detail {

const Pool& current_pool() noexcept { return current; }

void* take(const Pool& pool, std::size_t bytes) {
  if (pool != nullptr) return pool->take(bytes);
  constexpr std::size_t kAlignment = MemoryPool::State::kAlignment;
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return rounded < bytes ? nullptr : std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
}

void give_back(const Pool& pool, void* memory, std::size_t bytes) noexcept {
  if (pool != nullptr) return pool->give_back(memory, bytes);
  std::free(memory);
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

MemoryPoolScope::~MemoryPoolScope() { current = std::move(previous_); }

}  // namespace octavo
