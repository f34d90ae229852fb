// A pool's threads and the loops that they work on.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "octavo/parallel.hpp"

namespace octavo {

// True on a thread that is inside a loop's body, or in a SerialRegion: its loops run on it alone.
extern constinit thread_local bool inside_loop;

class Loop;

class ThreadPool::State {
 public:
  State(int count, ThreadPlacement placement);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  int count() const noexcept { return count_.load(std::memory_order_relaxed); }
  // Threads that are too many end before this returns. Not from inside a body: it waits for the others.
  void resize(int count);
  // The workers of all pools, with what they keep, end before this returns; loops start new ones. Not from inside a
  // body.
  static void end_all_workers();
  // Whether the calling thread is inside a body that several threads share.
  static bool inside_body() noexcept;
  // The body on [0, count) in ranges of about `least` indices or more. On return no thread touches it any more.
  void run(std::int64_t count, std::int64_t least, LoopBody body);

 private:
  struct Forks;
  struct Slot;
  struct Worker {
    State* pool;
    int index;  // from 0; also the share of a loop that it takes first, less 1
  };

  static void* serve(void* worker) noexcept;
  void shrink(int count);
  void start_workers(int wanted);
  int start_or_find_workers(int wanted);
  Slot* claim_slot() noexcept;
  Slot* join_loop() noexcept;
  void leave(Slot& slot) noexcept;
  void wait_for_helpers(const Slot& slot) const noexcept;
  void idle(int seen) const noexcept;
  void forget_threads() noexcept;

  // A loop that helpers may join. Whoever changes the state, and that is one atomic step, knows that the loop is there:
  // its caller withdraws what it still wants, and then stays until nobody is at work on it.
  struct alignas(64) Slot {
    static constexpr std::uint64_t kOneWanted = std::uint64_t{1} << 32, kAtWork = kOneWanted - 1;
    std::atomic<std::uint64_t> state{0};  // helpers that may still come times kOneWanted + helpers at work
    Loop* loop = nullptr;                 // what they find is what was here when they joined
  };
  static constexpr std::size_t kSlots = 64;  // bits of used_; more loops at a time run on their callers alone

  std::array<Slot, kSlots> slots_;
  std::atomic<std::uint64_t> used_{0};  // a bit for each slot that a loop has
  std::atomic<int> published_{0};       // changes with every loop: idle workers wait for that
  std::atomic<int> left_{0};            // changes when the last helper leaves a loop: callers wait for that
  std::atomic<int> forks_{0};           // between this process and the one that made the pool

  std::atomic<int> count_;
  std::vector<int> processors_;  // to pin to; empty: anywhere

  std::mutex mutex_;
  std::vector<pthread_t> workers_;  // behind the mutex
  std::atomic<int> started_{0};     // how many they are
};

}  // namespace octavo
