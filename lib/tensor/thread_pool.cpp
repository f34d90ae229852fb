#include "thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <exception>
#include <string>
#include <utility>

#include "octavo/error.hpp"
#include "octavo/log.hpp"
#include "processors.hpp"

namespace octavo {

constinit thread_local bool inside_loop = false;

namespace {

constinit thread_local bool inside_shared_body = false;

inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits actively, for a moment only: a thread that sleeps takes some ten microseconds to come back, but on a shared
// machine an active one takes the processor from whoever would do the work.
template <class Condition>
bool spin_until(const Condition& condition) noexcept {
  constexpr auto kSpin = std::chrono::microseconds(50);
  constexpr int kPausesPerLook = 8;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

// All pools, and the order in which locks are taken: this one before any pool's. Kept forever, so that a loop that runs
// while the process ends finds it.
struct Registry {
  std::mutex mutex;
  std::vector<ThreadPool::State*> pools;
};
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

}  // namespace

// One call of parallel_for; lives on its caller's stack. The range is divided into shares, one to a thread. Each thread
// works on its own share first, so that it sees the same part of an array in loop after loop, and then on what others
// have not come to. It takes a quarter of what is left of a share at a time, so that parts are large while there is
// much to do, and small at the end, where all threads wait for the last one.
class Loop {
 public:
  static constexpr std::int64_t kMostShares = 64;

  // Parts are of at least `least` indices, but for the last of a share.
  Loop(std::int64_t count, std::int64_t least, std::int64_t shares, LoopBody body) noexcept
      : body_(body), least_(least), share_count_(shares) {
    for (std::int64_t s = 0; s < shares; ++s) {
      Share& share = shares_[static_cast<std::size_t>(s)];
      share.next.store(count * s / shares, std::memory_order_relaxed);
      share.end = count * (s + 1) / shares;
    }
  }

  void work(std::int64_t first_share) noexcept {
    const bool outer = std::exchange(inside_loop, true);
    inside_shared_body = true;
    for (std::int64_t s = 0; s < share_count_; ++s) {
      Share& share = shares_[static_cast<std::size_t>((first_share + s) % share_count_)];
      std::int64_t begin = share.next.load(std::memory_order_relaxed);
      while (begin < share.end) {
        const std::int64_t end = std::min(share.end, begin + std::max(least_, (share.end - begin) / 4));
        if (!share.next.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
        run(begin, end);
        begin = share.next.load(std::memory_order_relaxed);
      }
    }
    inside_shared_body = false;
    inside_loop = outer;
  }

  void rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  struct Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void run(std::int64_t begin, std::int64_t end) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      body_(begin, end);
    } catch (...) {
      // The caller reads it when every helper has left, which is after this.
      if (!failed_.exchange(true)) error_ = std::current_exception();
    }
  }

  LoopBody body_;
  std::int64_t least_, share_count_;
  std::array<Share, kMostShares> shares_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

// Around fork() every lock is held, so that the child finds each pool whole; its threads are gone there.
struct ThreadPool::State::Forks {
  static void prepare() {
    registry().mutex.lock();
    for (State* pool : registry().pools) pool->mutex_.lock();
  }
  static void in_parent() {
    for (State* pool : registry().pools) pool->mutex_.unlock();
    registry().mutex.unlock();
  }
  static void in_child() {
    for (State* pool : registry().pools) pool->forget_threads();
    in_parent();
  }
};

ThreadPool::State::State(int count, ThreadPlacement placement) : count_(count) {
  if (placement == ThreadPlacement::pinned) {
    processors_ = allowed_processors();
    if (processors_.empty())
      throw Error(ErrorCode::unsupported, "ThreadPool: the system does not tell the processors to pin threads to");
  }
  static const int handlers = pthread_atfork(Forks::prepare, Forks::in_parent, Forks::in_child);
  static_cast<void>(handlers);  // without them (no memory) only a forked child would notice
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().pools.push_back(this);
}

ThreadPool::State::~State() {
  resize(1);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  std::erase(registry().pools, this);
}

bool ThreadPool::State::inside_body() noexcept { return inside_shared_body; }

void ThreadPool::State::resize(int count) {
  const std::lock_guard<std::mutex> administration(registry().mutex);
  shrink(count);
}

// Behind the registry's mutex.
void ThreadPool::State::shrink(int count) {
  std::vector<pthread_t> ending;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    count_.store(count, std::memory_order_relaxed);
    const std::size_t kept = std::min(workers_.size(), static_cast<std::size_t>(count - 1));
    ending.assign(workers_.begin() + static_cast<std::ptrdiff_t>(kept), workers_.end());
    workers_.resize(kept);
    started_.store(static_cast<int>(kept), std::memory_order_relaxed);
  }
  published_.fetch_add(1, std::memory_order_release);
  published_.notify_all();
  for (const pthread_t worker : ending)
    if (pthread_equal(worker, pthread_self()) != 0)
      pthread_detach(worker);  // a body ends the process
    else
      pthread_join(worker, nullptr);
}

void ThreadPool::State::end_all_workers() {
  const std::lock_guard<std::mutex> administration(registry().mutex);
  for (State* pool : registry().pools) {
    const int count = pool->count();
    pool->shrink(1);
    pool->count_.store(count, std::memory_order_relaxed);
  }
}

// Behind the mutex.
void ThreadPool::State::start_workers(int wanted) {
  if (static_cast<int>(workers_.size()) >= wanted) return;
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);  // a thread begins with its maker's mask
  workers_.reserve(static_cast<std::size_t>(wanted));
  while (static_cast<int>(workers_.size()) < wanted) {
    const int index = static_cast<int>(workers_.size());
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (!processors_.empty()) {
      cpu_set_t mask;
      CPU_ZERO(&mask);
      CPU_SET(static_cast<std::size_t>(processors_[static_cast<std::size_t>(index + 1) % processors_.size()]), &mask);
      pthread_attr_setaffinity_np(&attributes, sizeof mask, &mask);
    }
    auto* const worker = new Worker{this, index};
    pthread_t thread{};
    const int refused = pthread_create(&thread, &attributes, serve, worker);
    pthread_attr_destroy(&attributes);
    if (refused != 0) {
      delete worker;
      log_line(LogLevel::warning, "tensor", [&] {
        return "the system refused a thread: loops run on " + std::to_string(index + 1) + " instead of " +
               std::to_string(wanted + 1);
      });
      break;
    }
    workers_.push_back(thread);
  }
  started_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// As many as can help, at most `wanted`.
int ThreadPool::State::start_or_find_workers(int wanted) {
  if (started_.load(std::memory_order_relaxed) < wanted) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted = std::min(wanted, count() - 1);  // which another thread may just have changed
    start_workers(wanted);
  }
  return std::min(wanted, started_.load(std::memory_order_relaxed));
}

void* ThreadPool::State::serve(void* argument) noexcept {
  const Worker worker = *static_cast<Worker*>(argument);
  delete static_cast<Worker*>(argument);
  pthread_setname_np(pthread_self(), ("octavo/" + std::to_string(worker.index + 1)).c_str());
  State& pool = *worker.pool;
  for (;;) {
    const int forks = pool.forks_.load(std::memory_order_relaxed);
    const int seen = pool.published_.load(std::memory_order_acquire);  // before looking: what comes later changes it
    if (worker.index + 1 >= pool.count()) return nullptr;
    if (Slot* const slot = pool.join_loop()) {
      slot->loop->work(worker.index + 1);
      if (forks != pool.forks_.load(std::memory_order_relaxed)) return nullptr;  // a body's child, whose loop is torn
      pool.leave(*slot);
    } else {
      pool.idle(seen);
    }
  }
}

ThreadPool::State::Slot* ThreadPool::State::claim_slot() noexcept {
  std::uint64_t used = used_.load(std::memory_order_relaxed);
  while (~used != 0) {
    const int first_free = std::countr_one(used);
    if (used_.compare_exchange_weak(used, used | std::uint64_t{1} << first_free, std::memory_order_acquire))
      return &slots_[static_cast<std::size_t>(first_free)];
  }
  return nullptr;
}

ThreadPool::State::Slot* ThreadPool::State::join_loop() noexcept {
  for (std::uint64_t used = used_.load(std::memory_order_acquire); used != 0; used &= used - 1) {
    Slot& slot = slots_[static_cast<std::size_t>(std::countr_zero(used))];
    std::uint64_t state = slot.state.load(std::memory_order_relaxed);
    while (state >= Slot::kOneWanted)
      if (slot.state.compare_exchange_weak(state, state - Slot::kOneWanted + 1, std::memory_order_acquire))
        return &slot;
  }
  return nullptr;
}

// The loop may be gone as soon as it has one helper less.
void ThreadPool::State::leave(Slot& slot) noexcept {
  if (slot.state.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  left_.fetch_add(1, std::memory_order_release);
  left_.notify_all();
}

void ThreadPool::State::wait_for_helpers(const Slot& slot) const noexcept {
  const auto alone = [&] { return slot.state.load(std::memory_order_acquire) == 0; };
  if (alone() || spin_until(alone)) return;
  for (;;) {
    const int seen = left_.load(std::memory_order_acquire);
    if (alone()) return;
    left_.wait(seen, std::memory_order_acquire);
  }
}

void ThreadPool::State::idle(int seen) const noexcept {
  const auto changed = [&] { return published_.load(std::memory_order_relaxed) != seen; };
  if (!spin_until(changed)) published_.wait(seen, std::memory_order_relaxed);
}

void ThreadPool::State::run(std::int64_t count, std::int64_t least, LoopBody body) {
  const std::int64_t parts = std::min<std::int64_t>((count + least - 1) / least, this->count());
  Loop loop(count, least, std::min(parts, Loop::kMostShares), body);
  const int wanted = start_or_find_workers(static_cast<int>(parts) - 1);
  const int forks = forks_.load(std::memory_order_relaxed);
  Slot* const slot = wanted > 0 ? claim_slot() : nullptr;
  if (slot != nullptr) {
    slot->loop = &loop;
    slot->state.store(static_cast<std::uint64_t>(wanted) * Slot::kOneWanted, std::memory_order_release);
    published_.fetch_add(1, std::memory_order_release);
    if (wanted == started_.load(std::memory_order_relaxed))
      published_.notify_all();  // one call of the system
    else
      for (int i = 0; i < wanted; ++i) published_.notify_one();
  }
  loop.work(0);
  if (slot != nullptr) {
    if (forks != forks_.load(std::memory_order_relaxed))
      throw Error(ErrorCode::internal,
                  "parallel_for: the process was forked inside this loop, whose other threads the child does not have");
    slot->state.fetch_and(Slot::kAtWork, std::memory_order_acq_rel);  // who comes now is too late
    wait_for_helpers(*slot);
    used_.fetch_and(~(std::uint64_t{1} << (slot - slots_.data())), std::memory_order_release);
  }
  loop.rethrow();
}

// In a forked child, behind the mutex. No other thread is there to see it.
void ThreadPool::State::forget_threads() noexcept {
  workers_.clear();
  started_.store(0);
  for (Slot& slot : slots_) slot.state.store(0);
  used_.store(0);
  forks_.fetch_add(1);
}

}  // namespace octavo
