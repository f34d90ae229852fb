// Memory aligned to cache lines, and working memory that a thread keeps between calls.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "octavo/allocator.hpp"
#include "octavo/detail/huge_pages.hpp"
#include "octavo/error.hpp"

namespace octavo::gemm {

struct ReleaseBytes {
  const Allocator* allocator = nullptr;
  std::size_t size_bytes = 0;
  void operator()(std::byte* memory) const noexcept { allocator->release(memory, size_bytes, allocator->user_data); }
};
using AlignedBytes = std::unique_ptr<std::byte[], ReleaseBytes>;

inline AlignedBytes aligned_bytes(std::size_t size_bytes, const Allocator& from = detail::current_allocator()) {
  const std::size_t alignment = size_bytes >= detail::kHugePage / 2 ? detail::kHugePage : 64;
  const std::size_t rounded = (size_bytes + alignment) / alignment * alignment;
  AlignedBytes memory(static_cast<std::byte*>(from.allocate(rounded, alignment, from.user_data)),
                      ReleaseBytes{&from, rounded});
  if (memory == nullptr)
    throw Error(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size_bytes) + " bytes for a product");
  detail::advise_huge_pages(memory.get(), rounded);
  return memory;
}

// At least size_bytes that stay the calling thread's; grown when too small, kept otherwise, so that steady work does
// not allocate. One memory per Purpose: what is in use at the same time has different ones.
enum class Purpose : std::size_t { quantized, strip, rows, panels, widened, sums, onednn };
inline constexpr std::size_t kPurposes = 7;

inline std::byte* scratch_bytes(Purpose purpose, std::size_t size_bytes) {
  struct Kept {
    AlignedBytes memory;
    std::size_t size_bytes = 0;
  };
  thread_local Kept kept[kPurposes];
  Kept& own = kept[static_cast<std::size_t>(purpose)];
  if (size_bytes > own.size_bytes || own.memory == nullptr) {
    own.size_bytes = 0;
    own.memory.reset();  // before the new one, so that both are never held
    own.memory = aligned_bytes(size_bytes, detail::system_allocator());  // it ends with its thread
    own.size_bytes = size_bytes;
  }
  return own.memory.get();
}

template <class T>
T* scratch(Purpose purpose, std::size_t count) {
  return reinterpret_cast<T*>(scratch_bytes(purpose, count * sizeof(T)));
}

}  // namespace octavo::gemm
