// Large buffers come from the allocator that is set, and go back to the one that they came from.
#include "octavo/allocator.hpp"

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>

#include "catch.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/tensor.hpp"

using namespace octavo;

namespace {

/// What is out, and whether every release named a block of its own with its size.
struct Counting {
  std::mutex mutex;
  std::map<void*, std::size_t> out;
  bool is_true = true, is_empty = false;

  Allocator allocator() { return {allocate, release, this}; }
  static void* allocate(std::size_t size, std::size_t alignment, void* self) {
    auto& own = *static_cast<Counting*>(self);
    const std::lock_guard<std::mutex> lock(own.mutex);
    if (own.is_empty) return nullptr;
    own.is_true = own.is_true && size > 0;
    void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    own.out.emplace(memory, size);
    return memory;
  }
  static void release(void* memory, std::size_t size, void* self) {
    auto& own = *static_cast<Counting*>(self);
    const std::lock_guard<std::mutex> lock(own.mutex);
    const auto found = own.out.find(memory);
    own.is_true = own.is_true && found != own.out.end() && found->second == size;
    own.out.erase(found);
    std::free(memory);
  }
};

struct Restored {
  ~Restored() { set_allocator({}); }
};

}  // namespace

TEST_CASE("tensors come from the allocator that is set and go back to it later") {
  const Restored restored;
  Counting counting;
  set_allocator(counting.allocator());
  Tensor tensor = Tensor::zeros(DType::f32, {1000, 10});
  CHECK(counting.out.size() == 1);
  CHECK(counting.out.begin()->second >= 40000);
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64 == 0);
  set_allocator({});
  const Tensor other = tensor.clone();
  CHECK(counting.out.size() == 1);
  tensor = Tensor();
  CHECK(counting.out.empty());
  CHECK(counting.is_true);
}

TEST_CASE("a pool keeps the allocator that it was made under") {
  const Restored restored;
  Counting counting;
  set_allocator(counting.allocator());
  {
    const MemoryPool pool;
    set_allocator({});
    const MemoryPoolScope scope(pool);
    { const Tensor tensor = Tensor::empty(DType::f32, {5000}); }
    CHECK_FALSE(counting.out.empty());
  }
  CHECK(counting.out.empty());
  CHECK(counting.is_true);
}

TEST_CASE("an allocator without memory is out of memory and half of one is refused") {
  const Restored restored;
  Counting counting;
  set_allocator(counting.allocator());
  counting.is_empty = true;
  CHECK_THROWS_WITH(Tensor::empty(DType::f32, {16}), "cannot allocate 64 bytes for a tensor");
  counting.is_empty = false;
  CHECK(Tensor::empty(DType::f32, {16}).defined());
  CHECK_THROWS_AS(set_allocator({Counting::allocate, nullptr, nullptr}), Error);
}
