// Working memory that a thread keeps between calls: of steady work only the result is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octavo/detail/thread_memory.hpp"

namespace octavo::attention_kernels {

// One memory per purpose: what is in use at the same time has different ones.
enum class Working : std::size_t {
  queries = detail::kAttentionMemories,  // panels of packed rows
  keys,                                  // panels of a packed block
  rows,                                  // of a block, padded: keys before they are packed, then values
  sums,                                  // of a task
  chunk_sums,                            // of all tasks, where keys are divided: the caller's
  amx_queries,
  amx_keys,
  amx_values,
  amx_rows,     // of a block, widened
  amx_weights,  // of a tile
};
static_assert(static_cast<std::size_t>(Working::amx_weights) < detail::kThreadMemories);

// At least `count` values on a cache line, whose former contents may be lost.
template <class T = float>
T* working_memory(Working purpose, std::int64_t count) {
  return reinterpret_cast<T*>(
      detail::thread_memory(static_cast<std::size_t>(purpose), static_cast<std::size_t>(count) * sizeof(T)));
}

}  // namespace octavo::attention_kernels
