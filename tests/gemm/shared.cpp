// One layer used from many threads at once, as a server or a calibration does.
#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::Linear;

namespace {

constexpr int kThreads = 4;
constexpr std::int64_t kFeatures = 1100;  // more than one block of every engine
constexpr std::int64_t kOutputs = 300;

/// Results that differ from those of one thread, of `rounds` products per thread with other row counts in each.
int wrong_results(const Linear& layer, int rounds) {
  struct Product {
    Tensor x;
    std::vector<float> expected;
  };
  std::array<std::vector<Product>, kThreads> products;
  for (int thread = 0; thread < kThreads; ++thread)
    for (const std::int64_t rows : {1, 5, 8, 16}) {
      const Tensor x = random(rows + thread, kFeatures, static_cast<unsigned>(100 * thread + rows));
      products[static_cast<std::size_t>(thread)].push_back({x, floats(layer.forward(x))});
    }
  std::atomic<int> wrong{0};
  std::atomic<int> ready{0};
  const auto work = [&](const std::vector<Product>& own) {
    for (++ready; ready < kThreads;) std::this_thread::yield();  // all at once
    for (int round = 0; round < rounds; ++round)
      for (const Product& product : own)
        if (floats(layer.forward(product.x)) != product.expected) ++wrong;
  };
  std::array<std::thread, kThreads> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread)
    threads[thread] = std::thread(work, std::cref(products[thread]));
  for (std::thread& thread : threads) thread.join();
  return wrong;
}

}  // namespace

TEST_CASE("a w8a8 linear shared by threads gives the bits of one thread on every backend") {
  const Tensor w = random_s8(kOutputs, kFeatures, 1);
  const Tensor scale = random(kOutputs, 1, 2);
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) continue;
    octavo::force_int8_backend(backend.name);
    const Linear layer = Linear::w8a8("test", w, scale, random(1, kOutputs, 3).reshape({kOutputs}));
    octavo::force_int8_backend("");
    INFO(backend.name);
    CHECK(wrong_results(layer, backend.name == "portable" ? 5 : 300) == 0);
  }
}

TEST_CASE("a float or w8a16 linear shared by threads gives the bits of one thread on every backend") {
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    INFO(backend.name);
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      INFO(octavo::dtype_name(dtype));
      CHECK(wrong_results(Linear::floating("test", random(kOutputs, kFeatures, 1).to(dtype), {}), 5) == 0);
    }
    CHECK(wrong_results(Linear::w8a16("test", random_s8(kOutputs, kFeatures, 1), random(kOutputs, 1, 2), {}), 5) == 0);
  }
  octavo::force_float_backend("");
}
