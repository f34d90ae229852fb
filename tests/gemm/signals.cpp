// A handler of the host runs on the stack of the thread that it interrupts. Products must bear that at any instruction:
// code that uses the stack pointer for something else would have its memory written over.
#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::Linear;

namespace {

std::atomic<int> interruptions{0};

void on_timer(int) {
  volatile char stack[16384];
  for (std::size_t i = 0; i < sizeof stack; i += 64) stack[i] = 1;
  interruptions.fetch_add(1, std::memory_order_relaxed);
}

// SIGPROF after each millisecond of the process's time (as often as the kernel counts it), on the normal stack.
class Profiler {
 public:
  Profiler() {
    struct sigaction action {};
    action.sa_handler = on_timer;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, &before_);
    every(1000);
  }
  ~Profiler() {
    every(0);
    sigaction(SIGPROF, &before_, nullptr);
  }
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

 private:
  static void every(int microseconds) {
    itimerval timer{};
    timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
    setitimer(ITIMER_PROF, &timer, nullptr);
  }
  struct sigaction before_ {};
};

// The product over and over until 25 interruptions have come: the number of results that are not the first one's bits.
template <class Product>
int wrong_under_signals(const Product& product) {
  const Tensor expected = product();
  const Profiler profiler;
  int wrong = 0;
  for (const int until = interruptions + 25; interruptions < until;) {
    const Tensor result = product();
    wrong += std::memcmp(result.raw(), expected.raw(), expected.size_bytes()) == 0 ? 0 : 1;
  }
  return wrong;
}

}  // namespace

TEST_CASE("int8 products keep their bits while signals interrupt them") {
  const Tensor a = random_s8(70, 600, 1), w = random_s8(300, 600, 2), x = random(70, 600, 3);
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) continue;
    INFO(backend.name);
    CHECK(wrong_under_signals([&] { return octavo::gemm_s8(a, w, backend.name); }) == 0);
    octavo::force_int8_backend(backend.name);
    const Linear layer = Linear::w8a8("l", w, random(300, 1, 4), {});
    octavo::force_int8_backend("");
    for (const std::int64_t rows : {1, 70})
      CHECK(wrong_under_signals([&] { return layer.forward(x.slice(0, 0, rows)); }) == 0);
  }
}

TEST_CASE("float products keep their bits while signals interrupt them") {
  const Tensor x = random(130, 600, 1), w = random(300, 600, 2);
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    INFO(backend.name);
    for (const bool transposed : {false, true})
      CHECK(wrong_under_signals([&] {
              Tensor c = Tensor::zeros(DType::f32, {130, 300});
              octavo::sgemm(130, 300, 300, x.data<float>(), 600, w.data<float>(), 600, c.mutable_data<float>(), 300,
                            {.transpose_b = transposed});
              return c;
            }) == 0);
    const Linear wide = Linear::floating("f", w, {}), narrow = Linear::floating("b", w.to(DType::bf16), {});
    const Linear bytes = Linear::w8a16("w", random_s8(300, 600, 3), random(300, 1, 4), {});
    for (const Linear* layer : {&wide, &narrow, &bytes})
      for (const std::int64_t rows : {1, 130})
        CHECK(wrong_under_signals([&] { return layer->forward(x.slice(0, 0, rows)); }) == 0);
    octavo::force_float_backend("");
  }
}
