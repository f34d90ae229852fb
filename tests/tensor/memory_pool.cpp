// Tensors of a scope share memory one after the other, never at the same time.
#include "octavo/memory_pool.hpp"

#include <cstring>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "octavo/tensor.hpp"

using namespace octavo;

TEST_CASE("a tensor takes the memory that the one before it has let go") {
  const MemoryPool pool;
  const MemoryPoolScope scope(pool);
  const void* first = Tensor::empty(DType::f32, {100, 100}).raw();
  const std::size_t taken = pool.taken_bytes();
  CHECK(taken >= 40000);
  CHECK(pool.held_bytes() == taken);  // all of it is free again
  const Tensor second = Tensor::empty(DType::f32, {100, 100});
  CHECK(second.raw() == first);
  const Tensor beside = Tensor::empty(DType::f32, {100, 100});
  CHECK(beside.raw() != first);
  CHECK(pool.taken_bytes() > taken);
}

TEST_CASE("a length that grows by little reuses its block") {
  const MemoryPool pool;
  const MemoryPoolScope scope(pool);
  const void* at = Tensor::empty(DType::f32, {1000}).raw();
  CHECK(Tensor::empty(DType::f32, {1001}).raw() == at);
  CHECK(Tensor::empty(DType::f32, {1002}).raw() == at);
}

TEST_CASE("memory of the pool is aligned, large enough and nobody else's") {
  const MemoryPool pool;
  const MemoryPoolScope scope(pool);
  std::mt19937 draw(7);  // NOLINT(cert-msc51-cpp): the same every time
  struct Live {
    Tensor tensor;
    std::uint8_t mark;
  };
  std::vector<Live> live;
  for (int i = 0; i < 4000; ++i) {
    if (!live.empty() && draw() % 2 == 0) {
      const std::size_t which = draw() % live.size();
      for (const std::uint8_t value : live[which].tensor.values<std::uint8_t>()) REQUIRE(value == live[which].mark);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    const auto mark = static_cast<std::uint8_t>(i);
    Tensor tensor = Tensor::empty(DType::u8, {static_cast<std::int64_t>(draw() % (draw() % 3 == 0 ? 70000 : 700))});
    REQUIRE(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64 == 0);
    std::memset(tensor.mutable_raw(), mark, tensor.size_bytes());
    live.push_back({std::move(tensor), mark});
  }
}

TEST_CASE("a tensor outlives its pool and its scope") {
  Tensor kept;
  {
    const MemoryPool pool;
    const MemoryPoolScope scope(pool);
    kept = Tensor::zeros(DType::f32, {512});
  }
  for (const float value : kept.values<float>()) REQUIRE(value == 0);
}

TEST_CASE("scopes nest, and without one memory is the system's") {
  const MemoryPool outer;
  const MemoryPool inner;
  const MemoryPoolScope of_outer(outer);
  {
    const MemoryPoolScope of_inner(inner);
    CHECK(Tensor::empty(DType::f32, {8}).defined());
  }
  CHECK(inner.taken_bytes() > 0);
  CHECK(outer.taken_bytes() == 0);
  CHECK(Tensor::empty(DType::f32, {8}).defined());
  CHECK(outer.taken_bytes() > 0);
}

TEST_CASE("trim returns what no tensor uses, and nothing else") {
  MemoryPool pool;
  const MemoryPoolScope scope(pool);
  const Tensor kept = Tensor::zeros(DType::f32, {1000});
  CHECK(Tensor::empty(DType::f32, {9000}).defined());
  const std::size_t all = pool.taken_bytes();
  pool.trim();
  CHECK(pool.held_bytes() == 0);
  CHECK(pool.taken_bytes() < all);
  CHECK(pool.taken_bytes() >= kept.size_bytes());
  for (const float value : kept.values<float>()) REQUIRE(value == 0);
}

TEST_CASE("tensors of one pool are released on other threads while their own goes on") {
  const MemoryPool pool;
  for (int round = 0; round < 50; ++round) {
    std::vector<Tensor> made;
    {
      const MemoryPoolScope scope(pool);
      for (int i = 0; i < 20; ++i) made.push_back(Tensor::zeros(DType::f32, {100 + i}));
    }
    std::thread other([taken = std::move(made)]() mutable { taken.clear(); });
    const MemoryPoolScope scope(pool);
    for (int i = 0; i < 20; ++i) {
      const Tensor own = Tensor::zeros(DType::f32, {100 + i});
      for (const float value : own.values<float>()) REQUIRE(value == 0);
    }
    other.join();
  }
}

TEST_CASE("what cannot be had is refused, and the pool goes on") {
  const MemoryPool pool;
  const MemoryPoolScope scope(pool);
  CHECK_THROWS_AS(Tensor::empty(DType::u8, {std::int64_t{1} << 62}), Error);
  CHECK(Tensor::empty(DType::u8, {64}).defined());
}

TEST_CASE("what is made in a scope without a pool takes nothing from the pool around it") {
  const MemoryPool pool;
  const MemoryPoolScope scope(pool);
  const std::size_t before = pool.taken_bytes();
  {
    const MemoryPoolScope lasting(nullptr);
    const Tensor kept = Tensor::zeros(DType::f32, {1 << 16});
    CHECK(pool.taken_bytes() == before);
  }
  const Tensor made = Tensor::zeros(DType::f32, {1 << 16});
  CHECK(pool.taken_bytes() > before);
}
