// A pool's threads and the loops that they work on.
#pragma once

#include <pthread.h>

#include <atomic>
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
  struct Worker {
    State* pool;
    int index;  // from 0; also the share of a loop that it takes first, less 1
  };

  static void* serve(void* worker) noexcept;
  void shrink(int count);
  void start_workers(int wanted);
  Loop* join_loop() noexcept;
  void leave(Loop& loop) noexcept;
  void idle(int seen) const noexcept;
  void forget_threads() noexcept;

  std::atomic<int> count_;
  std::vector<int> processors_;  // to pin to; empty: anywhere

  std::mutex mutex_;
  std::vector<pthread_t> workers_;  // behind the mutex
  Loop* loops_ = nullptr;           // under way, behind the mutex

  std::atomic<int> open_{0};       // helpers that the loops still want
  std::atomic<int> published_{0};  // changes with every loop: idle workers wait for that
  std::atomic<int> left_{0};       // changes with every helper that leaves a loop: callers wait for that
};

}  // namespace octavo
