// Memory aligned to cache lines, and working memory that a thread keeps between calls.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

#include "octavo/error.hpp"

namespace octavo::gemm {

using AlignedBytes = std::unique_ptr<std::byte[], decltype(&std::free)>;

inline AlignedBytes aligned_bytes(std::size_t size_bytes) {
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  const std::size_t alignment = size_bytes >= kHugePage / 2 ? kHugePage : 64;
  const std::size_t rounded = (size_bytes + alignment) / alignment * alignment;
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)), std::free);
  if (memory == nullptr)
    throw Error(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size_bytes) + " bytes for a product");
#ifdef MADV_HUGEPAGE
  if (alignment == kHugePage) madvise(memory.get(), rounded, MADV_HUGEPAGE);  // where it is refused: small pages
#endif
  return memory;
}

// At least size_bytes that stay the calling thread's; grown when too small, kept otherwise, so that steady work does
// not allocate. One memory per Purpose: what is in use at the same time has different ones.
enum class Purpose : std::size_t { quantized, strip, rows, panels, widened, sums, onednn };
inline constexpr std::size_t kPurposes = 7;

inline std::byte* scratch_bytes(Purpose purpose, std::size_t size_bytes) {
  struct Kept {
    AlignedBytes memory{nullptr, std::free};
    std::size_t size_bytes = 0;
  };
  thread_local Kept kept[kPurposes];
  Kept& own = kept[static_cast<std::size_t>(purpose)];
  if (size_bytes > own.size_bytes || own.memory == nullptr) {
    own.size_bytes = 0;
    own.memory.reset();  // before the new one, so that both are never held
    own.memory = aligned_bytes(size_bytes);
    own.size_bytes = size_bytes;
  }
  return own.memory.get();
}

template <class T>
T* scratch(Purpose purpose, std::size_t count) {
  return reinterpret_cast<T*>(scratch_bytes(purpose, count * sizeof(T)));
}

}  // namespace octavo::gemm
