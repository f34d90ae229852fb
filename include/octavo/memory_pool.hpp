/// @file
/// Memory for the tensors of a job, reused from call to call instead of asked of the system each time.
///
///     MemoryPool pool;
///     for (;;) {
///       const MemoryPoolScope scope(pool);
///       step();  // after the first step, its tensors take the memory that the step before has let go
///     }
///
/// Fresh memory is dear: the system hands out zeroed pages one fault at a time, and takes them back when a large tensor
/// goes. Sessions and generations have a pool of their own; programs that call operations themselves may have one, too.
///
/// Threads: a scope belongs to its thread. Distinct pools are independent. A tensor may be released on any thread, and
/// may outlive the scope and the pool: its memory is then freed with the last of them.
///
/// A pool's memory comes from the allocator (allocator.hpp) that is set when the pool is made.
#pragma once

#include <cstddef>
#include <memory>

namespace octavo {

class MemoryPool {
 public:
  MemoryPool();
  std::size_t held_bytes() const noexcept;   ///< of memory that no tensor uses
  std::size_t taken_bytes() const noexcept;  ///< of all memory that the pool got from the system and has not returned
  void trim();                               ///< returns what no tensor uses

  struct State;

 private:
  friend class MemoryPoolScope;
  std::shared_ptr<State> state_;
};

/// While one lives, owned tensors that its thread makes take their memory from the pool. Scopes nest; the innermost
/// serves.
class MemoryPoolScope {
 public:
  explicit MemoryPoolScope(const MemoryPool& pool) noexcept;
  explicit MemoryPoolScope(std::nullptr_t) noexcept;  ///< no pool: for what outlives the call that makes it
  ~MemoryPoolScope();
  MemoryPoolScope(const MemoryPoolScope&) = delete;
  MemoryPoolScope& operator=(const MemoryPoolScope&) = delete;

 private:
  std::shared_ptr<MemoryPool::State> previous_;
};

}  // namespace octavo
