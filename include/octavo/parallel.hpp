/// @file
/// The one way loops are spread over cores: a pool of threads of Octavo's own, which sleep while there is nothing to
/// do.
///
///     set_num_threads(4);                       // for the process
///
///     const ThreadPool pool(2);                 // or: this thread's loops on two threads of their own
///     const ThreadPoolScope scope(pool);
///     model.generate(...);
///
/// A loop's caller always works on its own loop, and idle threads of its pool help. So several callers may share a
/// pool: none waits for another's loop. Of more than 64 loops at a time, the last run on their callers alone. Idle
/// threads look for work for some 50 microseconds, then sleep. The pool's threads block all signals but those that the
/// hardware raises (SIGSEGV, SIGBUS, ...): handlers of the host never run on them.
///
/// fork(): the child has the same pools, whose threads it starts anew when it needs them. A child made inside the body
/// of a loop must not go on with that loop (its caller gets an Error).
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace octavo {

/// What a loop calls with disjoint ranges: a reference to a callable (begin, end), which must outlive it. Making one
/// does not allocate.
class LoopBody {
 public:
  template <class Body, class = std::enable_if_t<!std::is_same_v<std::remove_cv_t<Body>, LoopBody>>>
  LoopBody(const Body& body) noexcept  // NOLINT(google-explicit-constructor): a lambda is handed over as it is
      : body_(&body), call_([](const void* object, std::int64_t begin, std::int64_t end) {
          (*static_cast<const Body*>(object))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(body_, begin, end); }

 private:
  const void* body_;
  void (*call_)(const void*, std::int64_t, std::int64_t);
};

/// Calls body(begin, end) on disjoint ranges that cover [0, count); returns when all are done.
/// A range holds about `grain` indices or more. The division depends on the number of threads, so a body computes each
/// index independently of its range: results are then the same for every thread count. The first exception that a body
/// throws is rethrown here; ranges that were not begun by then are left out. Calls made from inside a body run
/// serially. Does not allocate, except to start threads. Throws ErrorCode::invalid_argument where OCTAVO_NUM_THREADS is
/// needed and is not a number of threads.
void parallel_for(std::int64_t count, std::int64_t grain, LoopBody body);

/// Threads that the calling thread's loops run on, itself among them. At least 1. Throws as parallel_for.
int num_threads();

/// Threads of the default pool, which serves every thread without a ThreadPoolScope. 0: as many as OCTAVO_NUM_THREADS
/// says or, where it is not set, as the process may use: the processors of its affinity mask, at most its cgroup's
/// quota. Not from inside a loop (invalid_argument). Loops under way finish with the threads that they have.
void set_num_threads(int count);

/// Where a pool's threads run.
enum class ThreadPlacement : std::uint8_t {
  anywhere,  ///< as the system likes
  pinned,    ///< each stays on one processor of the affinity mask of the thread that made the pool, from the second on;
             ///< the first is left to the caller, which is never pinned
};

/// Threads for the loops of some callers. Copies are the same pool; its threads end with the last copy and the last
/// scope over it. They start when a loop first needs them; where the system refuses one, loops run with those it has.
/// May be used from any number of threads at once.
class ThreadPool {
 public:
  /// `count` threads to a loop, its caller among them; 0: as set_num_threads(0). Throws invalid_argument for a negative
  /// count or one above 4096.
  explicit ThreadPool(int count, ThreadPlacement placement = ThreadPlacement::anywhere);
  int count() const noexcept;

  class State;

 private:
  friend class ThreadPoolScope;
  std::shared_ptr<State> state_;
};

/// While one lives, loops that its thread starts run on the pool. Scopes nest; the innermost serves.
class ThreadPoolScope {
 public:
  explicit ThreadPoolScope(const ThreadPool& pool) noexcept;
  ~ThreadPoolScope();
  ThreadPoolScope(const ThreadPoolScope&) = delete;
  ThreadPoolScope& operator=(const ThreadPoolScope&) = delete;

 private:
  std::shared_ptr<ThreadPool::State> previous_;
};

/// While one lives, loops that its thread starts run on that thread alone.
class SerialRegion {
 public:
  SerialRegion() noexcept;
  ~SerialRegion();
  SerialRegion(const SerialRegion&) = delete;
  SerialRegion& operator=(const SerialRegion&) = delete;

 private:
  bool was_inside_;
};

}  // namespace octavo
