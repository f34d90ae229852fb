#include "octavo/detail/thread_memory.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "octavo/detail/huge_pages.hpp"
#include "octavo/error.hpp"

namespace octavo::detail {

namespace {

constexpr std::size_t kLine = 64;  // of a cache

}  // namespace

AlignedBytes aligned_bytes(std::size_t size_bytes) {
  const Allocator& from = current_allocator();
  const std::size_t alignment = size_bytes >= kHugePage / 2 ? kHugePage : kLine;
  // The last huge page is one if at least half of it is used: a model has hundreds of weights.
  const std::size_t multiple = size_bytes % alignment < kHugePage / 2 ? kLine : alignment;
  const std::size_t rounded = std::max((size_bytes + multiple - 1) / multiple * multiple, kLine);
  AlignedBytes memory(static_cast<std::byte*>(from.allocate(rounded, alignment, from.user_data)),
                      ReleaseBytes{&from, rounded});
  if (memory == nullptr)
    throw Error(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size_bytes) + " bytes of working memory");
  advise_huge_pages(memory.get(), rounded);
  return memory;
}

namespace {

struct Kept {
  AlignedBytes memory;
  std::size_t size_bytes = 0;
};
thread_local std::array<Kept, kThreadMemories> kept;

}  // namespace

std::byte* thread_memory(std::size_t index, std::size_t size_bytes) {
  Kept& own = kept[index];
  if (size_bytes > own.size_bytes || own.memory == nullptr ||
      own.memory.get_deleter().allocator != &current_allocator()) {
    own.size_bytes = 0;
    own.memory.reset();  // before the new one, so that both are never held
    own.memory = aligned_bytes(size_bytes);
    own.size_bytes = size_bytes;
  }
  return own.memory.get();
}

void release_thread_memory() noexcept {
  for (Kept& own : kept) own = {};
}

}  // namespace octavo::detail
