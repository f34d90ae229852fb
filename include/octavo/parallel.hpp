/// @file
/// The one way loops are spread over cores. Uses the same OpenMP pool as oneDNN, so that two
/// pools never fight; without OpenMP (and under ThreadSanitizer) plain std::thread.
#pragma once

#include <cstdint>
#include <type_traits>

namespace octavo {

/// Threads used by parallel loops and by oneDNN. At least 1.
int num_threads() noexcept;

/// Sets it for the whole process; 0 restores the machine's default. Call between jobs, not during one.
void set_num_threads(int count);

/// What a loop does with a range. Refers to a callable, which must live as long as the call: unlike std::function, it
/// takes no memory.
class LoopBody {
 public:
  template <class Body>
  requires(std::is_invocable_v<const Body&, std::int64_t, std::int64_t> && !std::is_same_v<Body, LoopBody>)
      LoopBody(const Body& body)
  noexcept  // NOLINT(google-explicit-constructor): as a function's argument
      : body_(&body), call_([](const void* of, std::int64_t begin, std::int64_t end) {
          (*static_cast<const Body*>(of))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(body_, begin, end); }

 private:
  const void* body_;
  void (*call_)(const void* body, std::int64_t begin, std::int64_t end);
};

/// Calls body(begin, end) on disjoint ranges that cover [0, count); returns when all are done.
/// Ranges hold at least `grain` indices (the last may be shorter). The split may depend on the
/// number of threads, so a body computes each index independently of its range: results are then
/// the same for every thread count. The first exception thrown by a body is rethrown here.
/// Calls made from inside a body run serially.
void parallel_for(std::int64_t count, std::int64_t grain, LoopBody body);

/// While one lives, loops that its thread starts, oneDNN's among them, run on that thread alone.
class SerialRegion {
 public:
  SerialRegion() noexcept;
  ~SerialRegion();
  SerialRegion(const SerialRegion&) = delete;
  SerialRegion& operator=(const SerialRegion&) = delete;

 private:
  bool was_inside_;
  int previous_threads_ = 0;
};

}  // namespace octavo
