/// @file
/// Where large buffers come from: the storage of tensors, and with it caches and logits, memory pools, and weights that
/// are packed for a product. Not: weights that stay mapped, the working memory that threads keep between products, and
/// small things such as names.
///
///     set_allocator({my_allocate, my_release, &arena});   // buffers made from now on
///
/// A buffer goes back to the allocator that it came from, so the allocator may change while buffers live. What an
/// allocator refers to must outlive its last buffer.
#pragma once

#include <cstddef>

namespace octavo {

/// Both functions are called from any thread, must not throw, and must not call Octavo.
struct Allocator {
  /// At least `size_bytes` (never 0) at a multiple of `alignment`, a power of two; null when there is no more, which
  /// Octavo reports as out_of_memory.
  void* (*allocate)(std::size_t size_bytes, std::size_t alignment, void* user_data) = nullptr;
  void (*release)(void* memory, std::size_t size_bytes, void* user_data) = nullptr;
  void* user_data = nullptr;
};

/// Of the process, for buffers made from now on; a MemoryPool keeps the one that it was made under. With both functions
/// null: the system's memory again, as at the start. May be called from any thread.
/// @throws Error  invalid_argument when one of the two is null.
void set_allocator(const Allocator& allocator);

namespace detail {
/// What buffers made now come from. The pointer stays valid: allocators that were set are kept.
const Allocator& current_allocator() noexcept;
const Allocator& system_allocator() noexcept;
}  // namespace detail

}  // namespace octavo
