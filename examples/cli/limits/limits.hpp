// What this machine can do at best: the measure of every other measurement.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace limits {

/// Multiply-adds (two operations each) or exps of one instruction set, by loops in registers; giga-operations per
/// second, the best of 15 runs.
struct UnitRate {
  std::string name;  // "amx_int8"
  std::string kind;  // of its operands: "int8", "bf16" or "f32"; or "exp", of float32
  bool measured = false;
  std::string missing;  // why not
  double one_thread = 0, all_threads = 0;
};

/// Reading `bytes` again and again, GB/s, the best of five runs: from the caches that hold them, else from memory.
struct ReadRate {
  std::size_t bytes = 0;
  double one_thread = 0, all_threads = 0;
};

struct Machine {
  std::string processor;  // "" where the system does not tell
  int threads = 1;        // octavo::num_threads()
  std::vector<UnitRate> units;
  std::vector<ReadRate> reads;    // by size; the last is beyond the caches, unless the process may not have so much
  std::size_t beyond_caches = 0;  // bytes that the last was to be of

  /// Operations per second, all threads, of the best unit that can do those of a kind exactly: int8 and bf16 can be
  /// widened to f32. Greater than 0.
  double rate(const std::string& kind) const;
  const ReadRate& read(double bytes) const;  // of the smallest size that holds them, else the largest
};

/// Runs what the library says this machine can run; two to three seconds.
/// @throws octavo::Error  cancelled, by the thread's CancelScope.
Machine measure();

}  // namespace limits
