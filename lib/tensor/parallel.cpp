#include "octavo/parallel.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "octavo/error.hpp"
#include "processors.hpp"
#include "thread_pool.hpp"

namespace octavo {

namespace {

thread_local std::shared_ptr<ThreadPool::State> current;

int checked(const char* who, int count) {
  if (count < 0 || count > kMostThreads)
    throw Error(ErrorCode::invalid_argument, std::string(who) + ": " + std::to_string(count) +
                                                 " threads; 0 (the machine's default) to " +
                                                 std::to_string(kMostThreads) + " are possible");
  return count > 0 ? count : default_threads();
}

// Kept forever: loops may run while the process ends, and then run on their callers alone. Its threads end with the
// process or when the library is unloaded.
ThreadPool::State& default_pool() {
  static auto* const pool = new ThreadPool::State(default_threads(), ThreadPlacement::anywhere);
  static const struct AtExit {
    ~AtExit() { pool->resize(1); }
  } at_exit;
  return *pool;
}

ThreadPool::State& current_pool() { return current != nullptr ? *current : default_pool(); }

}  // namespace

int num_threads() { return current_pool().count(); }

void set_num_threads(int count) {
  const int threads = checked("set_num_threads", count);
  if (ThreadPool::State::inside_body())
    throw Error(ErrorCode::invalid_argument,
                "set_num_threads: called from inside a parallel loop; call it between jobs");
  default_pool().resize(threads);
}

void parallel_for(std::int64_t count, std::int64_t grain, LoopBody body) {
  if (count <= 0) return;
  const std::int64_t least = std::max<std::int64_t>(1, grain);
  if (inside_loop || count <= least) return body(0, count);
  ThreadPool::State& pool = current_pool();
  if (pool.count() <= 1) return body(0, count);
  pool.run(count, least, body);
}

ThreadPool::ThreadPool(int count, ThreadPlacement placement)
    : state_(std::make_shared<State>(checked("ThreadPool", count), placement)) {}

int ThreadPool::count() const noexcept { return state_->count(); }

ThreadPoolScope::ThreadPoolScope(const ThreadPool& pool) noexcept : previous_(std::exchange(current, pool.state_)) {}

ThreadPoolScope::~ThreadPoolScope() { current = std::move(previous_); }

SerialRegion::SerialRegion() noexcept : was_inside_(std::exchange(inside_loop, true)) {}

SerialRegion::~SerialRegion() { inside_loop = was_inside_; }

}  // namespace octavo
