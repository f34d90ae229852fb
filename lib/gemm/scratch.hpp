// Memory aligned to cache lines, and working memory that a thread keeps between products.
#pragma once

#include <cstddef>

#include "octavo/detail/thread_memory.hpp"

namespace octavo::gemm {

using detail::aligned_bytes;
using detail::AlignedBytes;

// One memory per Purpose: what is in use at the same time has different ones.
enum class Purpose : std::size_t {
  quantized = detail::kGemmMemories,
  strip,
  rows,
  panels,
  widened,
  sums,
  gate,
  onednn
};
static_assert(static_cast<std::size_t>(Purpose::onednn) < detail::kAttentionMemories);

// At least `count` values that stay the calling thread's (detail::thread_memory).
template <class T>
T* scratch(Purpose purpose, std::size_t count) {
  return reinterpret_cast<T*>(detail::thread_memory(static_cast<std::size_t>(purpose), count * sizeof(T)));
}

}  // namespace octavo::gemm
