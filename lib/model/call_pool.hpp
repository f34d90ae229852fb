// Memory for the tensors of one call that whole towers run in.
#pragma once

#include <optional>

#include "octavo/detail/pooled.hpp"
#include "octavo/memory_pool.hpp"

namespace octavo::model {

/// A pool for as long as it lives, unless the thread has one: each block takes the memory that the block before has let
/// go. What the call returns stays; the rest goes back to the system. To be declared before the call's tensors.
class CallPool {
 public:
  CallPool() {
    if (detail::current_pool().state != nullptr) return;
    pool_.emplace();
    scope_.emplace(*pool_);
  }
  ~CallPool() {
    scope_.reset();
    if (pool_) pool_->trim();
  }
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

 private:
  std::optional<MemoryPool> pool_;
  std::optional<MemoryPoolScope> scope_;
};

}  // namespace octavo::model
