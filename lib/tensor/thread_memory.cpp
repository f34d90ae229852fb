#include "octavo/detail/thread_memory.hpp"

#include <array>
#include <string>

#include "octavo/detail/huge_pages.hpp"
#include "octavo/error.hpp"

namespace octavo::detail {

AlignedBytes aligned_bytes(std::size_t size_bytes) {
  const Allocator& from = current_allocator();
  const std::size_t alignment = size_bytes >= kHugePage / 2 ? kHugePage : 64;
  const std::size_t rounded = (size_bytes + alignment) / alignment * alignment;
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
