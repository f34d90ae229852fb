// Work done by several threads at the same moment.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace test {

/// Runs work(thread), thread = 0 .. count-1, each on a thread of its own; all begin together. Rethrows the first
/// exception once all have ended.
template <class Work>
void at_once(int count, Work&& work) {
  std::atomic<int> ready{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < count; ++thread)
    threads.emplace_back([&, thread] {
      for (++ready; ready < count;) std::this_thread::yield();
      try {
        work(thread);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace test
