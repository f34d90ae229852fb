#include "memory_pool.hpp"

#include <utility>

namespace octavo {

namespace {

thread_local std::shared_ptr<MemoryPool::State> current;

}  // namespace

const std::shared_ptr<MemoryPool::State>& current_pool() noexcept { return current; }

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
