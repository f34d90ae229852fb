// The inside of a MemoryPool.
#pragma once

#include <bit>
#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "octavo/detail/pooled.hpp"

namespace octavo {

struct MemoryPool::State {
  static constexpr std::size_t kAlignment = 64;

  ~State() { trim(); }

  /// Blocks come in sizes that are at most an eighth apart, so that lengths that grow by a token reuse them.
  static std::size_t block_size(std::size_t bytes) noexcept {
    if (bytes <= 8 * kAlignment)
      return (bytes + kAlignment - 1) / kAlignment * kAlignment + (bytes == 0 ? kAlignment : 0);
    const auto digits = static_cast<int>(std::bit_width(bytes - 1)) - 4;  // below the leading four
    return (((bytes - 1) >> digits) + 1) << digits;
  }

  /// Null when the system has no more.
  void* take(std::size_t bytes) {
    const std::size_t size = block_size(bytes);
    if (size < bytes) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex);
    std::vector<void*>& free = blocks[size];
    if (!free.empty()) {
      void* block = free.back();
      free.pop_back();
      held -= size;
      return block;
    }
    void* block = allocate(size);
    if (block == nullptr) return nullptr;
    taken += size;
    ++count[size];
    free.reserve(count[size]);  // so that giving back never allocates
    return block;
  }

  void give_back(void* block, std::size_t bytes) noexcept {
    const std::size_t size = block_size(bytes);
    const std::lock_guard<std::mutex> lock(mutex);
    blocks.find(size)->second.push_back(block);
    held += size;
  }

  void trim() noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    for (auto& [size, free] : blocks) {
      for (void* block : free) allocator.release(block, size, allocator.user_data);
      taken -= size * free.size();
      held -= size * free.size();
      count[size] -= free.size();
      free.clear();
    }
  }

  /// In huge pages where they fit: a product's results go to other pages in every row. Not so memory of no pool, such
  /// as caches, which fill as they go and must not take 2 MiB for each head's first row.
  void* allocate(std::size_t size);

  const Allocator& allocator = detail::current_allocator();
  std::mutex mutex;
  std::unordered_map<std::size_t, std::vector<void*>> blocks;  // free ones, by size
  std::unordered_map<std::size_t, std::size_t> count;          // of all that were taken and not returned, by size
  std::size_t taken = 0, held = 0;
};

}  // namespace octavo
