/// @file
/// Where large buffers come from: the storage of tensors, and with it caches, activations, logits and copies of
/// weights; memory pools; weights that are packed for a product; what GPTQ works in; and the working memory that
/// threads keep between products. Not: weights that stay mapped, pictures as they are decoded, the tables of a
/// tokenizer, the bytes of saved sessions, texts and other small things, and what oneDNN keeps for itself.
///
///     set_allocator({my_allocate, my_release, &arena});   // buffers made from now on
///
/// A buffer goes back to the allocator that it came from, so the allocator may change while buffers live. What an
/// allocator refers to must outlive its last buffer: those of objects go with them; the working memory of the calling
/// thread and of Octavo's own threads goes when another allocator is set; that of any other thread at its next product
/// or when it ends.
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
/// null: the system's memory again, as at the start. May be called from any thread; waits for loops that are under way.
/// @throws Error  invalid_argument when one of the two is null, and from inside a loop.
void set_allocator(const Allocator& allocator);

namespace detail {
/// What buffers made now come from. The pointer stays valid: allocators that were set are kept.
const Allocator& current_allocator() noexcept;
const Allocator& system_allocator() noexcept;
}  // namespace detail

}  // namespace octavo
