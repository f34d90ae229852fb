/// Small things that a call makes beside its tensors, in the same memory: of the thread's MemoryPool, where it has one.
/// Not for direct use.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "octavo/allocator.hpp"
#include "octavo/memory_pool.hpp"

namespace octavo::detail {

/// A MemoryPool, or the allocator alone where the state is null.
struct Pool {
  std::shared_ptr<MemoryPool::State> state;
  const Allocator* allocator = nullptr;
  friend bool operator==(const Pool&, const Pool&) noexcept = default;
};
/// Of this thread.
Pool current_pool() noexcept;
/// For what outlives the call that makes it: packed weights.
inline Pool no_pool() noexcept { return {nullptr, &current_allocator()}; }
/// Aligned to 64 bytes; null when there is no more.
void* take(const Pool& pool, std::size_t bytes);
void give_back(const Pool& pool, void* memory, std::size_t bytes) noexcept;
/// Returns to the system what no tensor uses.
void trim(const Pool& pool) noexcept;

/// std::allocator over the pool that its thread has when it is made, which it keeps alive.
template <class T>
struct PooledAllocator {
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  PooledAllocator() : pool(current_pool()) {}
  explicit PooledAllocator(Pool from) : pool(std::move(from)) {}
  template <class U>
  PooledAllocator(const PooledAllocator<U>& other) : pool(other.pool) {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t n) {
    void* memory = take(pool, n * sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t n) noexcept { give_back(pool, memory, n * sizeof(T)); }
  template <class U>
  bool operator==(const PooledAllocator<U>& other) const noexcept {
    return pool == other.pool;
  }
  Pool pool;
};

template <class T>
using PooledVector = std::vector<T, PooledAllocator<T>>;

}  // namespace octavo::detail
