/// Aligned memory of the allocator, and working memory that a thread keeps between calls. Not for direct use.
#pragma once

#include <cstddef>
#include <memory>

#include "octavo/allocator.hpp"

namespace octavo::detail {

struct ReleaseBytes {
  const Allocator* allocator = nullptr;
  std::size_t size_bytes = 0;
  void operator()(std::byte* memory) const noexcept { allocator->release(memory, size_bytes, allocator->user_data); }
};
using AlignedBytes = std::unique_ptr<std::byte[], ReleaseBytes>;

/// Aligned to cache lines; large ones to huge pages, which the system is asked for, with at most half of one unused.
/// @throws Error  out_of_memory.
AlignedBytes aligned_bytes(std::size_t size_bytes);

inline constexpr std::size_t kThreadMemories = 24;
inline constexpr std::size_t kGemmMemories = 0, kAttentionMemories = 8;  ///< the first index of each module
/// At least size_bytes that stay the calling thread's, so that steady work does not allocate: until it asks for more
/// under the same index, another allocator is set, or it ends. What is in use at the same time has different indices.
std::byte* thread_memory(std::size_t index, std::size_t size_bytes);
/// Gives back all that the calling thread keeps.
void release_thread_memory() noexcept;

}  // namespace octavo::detail
