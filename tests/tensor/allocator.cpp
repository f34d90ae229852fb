// Large buffers come from the allocator that is set, and go back to the one that they came from.
#include "octavo/allocator.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "octavo/detail/thread_memory.hpp"
#include "octavo/error.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/parallel.hpp"
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

TEST_CASE("large memory is of whole huge pages unless more than half of the last would be left over") {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const Restored restored;
  Counting counting;
  set_allocator(counting.allocator());
  const auto asked_for = [&](std::size_t size) {
    const detail::AlignedBytes memory = detail::aligned_bytes(size);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.get()) % (size >= kMiB ? 2 * kMiB : 64) == 0);
    return counting.out.at(memory.get());
  };
  CHECK(asked_for(0) == 64);
  CHECK(asked_for(64) == 64);
  CHECK(asked_for(65) == 128);
  CHECK(asked_for(kMiB - 1) == kMiB);
  CHECK(asked_for(kMiB) == 2 * kMiB);
  CHECK(asked_for(2 * kMiB) == 2 * kMiB);
  CHECK(asked_for(2 * kMiB + 1) == 2 * kMiB + 64);
  CHECK(asked_for(3 * kMiB - 1) == 3 * kMiB);
  CHECK(asked_for(3 * kMiB) == 4 * kMiB);
  CHECK(asked_for(3424 * 1280 * 2) == 3424 * 1280 * 2);  // gate_proj of the vision tower: 8.36 MiB
}

TEST_CASE("what threads keep goes back when another allocator is set") {
  const Restored restored;
  Counting counting;
  set_allocator(counting.allocator());
  set_num_threads(3);
  std::atomic<int> arrived{0};
  std::array<std::byte*, 3> first{}, again{};
  const auto keep = [&](std::array<std::byte*, 3>& memories) {
    arrived = 0;
    parallel_for(3, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) memories[static_cast<std::size_t>(i)] = detail::thread_memory(1, 5000);
      ++arrived;
      while (arrived < 3) std::this_thread::yield();  // so that three threads have one index each
    });
  };
  keep(first);
  CHECK(counting.out.size() == 3);
  keep(again);
  std::sort(first.begin(), first.end());
  std::sort(again.begin(), again.end());
  CHECK(first == again);  // kept, not asked for again
  CHECK(counting.out.size() == 3);
  detail::thread_memory(1, 50000);  // more than it keeps
  CHECK(counting.out.size() == 3);
  CHECK_THROWS_AS(parallel_for(3, 1, [](std::int64_t, std::int64_t) { set_allocator({}); }), Error);
  std::thread other([&] {
    detail::thread_memory(0, 100);
    CHECK(counting.out.size() == 4);
  });
  other.join();  // which ends
  CHECK(counting.out.size() == 3);
  set_allocator({});
  CHECK(counting.out.empty());
  CHECK(counting.is_true);
  keep(again);  // the pool's threads started anew
  CHECK(counting.out.empty());
  set_num_threads(0);
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
