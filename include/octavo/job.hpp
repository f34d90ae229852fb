/// @file
/// What every whole job shares: progress and cancelling, and what it says of one layer. Jobs of your own (a calibration
/// loop, an evaluation) can be written on the same parts; their samples are read by samples.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "octavo/error.hpp"
#include "octavo/json.hpp"

namespace octavo {

// --- Progress -------------------------------------------------------------------------------------------------------

/// How far a job is. `done` counts steps over the whole job, each by its estimated cost, so that time left can be told:
/// elapsed * (total - done) / done.
struct Progress {
  std::string stage;  ///< what is being worked on: "model.layers.3: calibrate", "verify: quantized", ...
  std::int64_t done = 0, total = 0;
};
/// Called from the job's thread. Returning false cancels.
using ProgressCallback = std::function<bool(const Progress&)>;

/// Counts a job's steps for the callback, and turns the caller's cancel flag, or a callback that refuses, into an
/// Error. Holds references to both, which must outlive it. One thread at a time.
class JobProgress {
 public:
  /// `job` names it in messages; `outcome` completes them: "nothing was written to OUT". `cancel` may be null.
  JobProgress(const ProgressCallback& callback, const std::atomic<bool>* cancel, std::string job, std::string outcome);
  void set_total(std::int64_t total) { progress_.total = total; }
  // Each of these tells the callback. @throws Error  cancelled.
  void stage(std::string name);
  void advance(std::int64_t count = 1);
  void advance_to(std::int64_t done);  ///< never back
  void check_cancelled() const;        ///< looks at the flag, and at that of the thread's CancelScope

 private:
  void report();
  const ProgressCallback& callback_;
  const std::atomic<bool>* cancel_;
  std::string job_, outcome_;
  Progress progress_;
};

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// High-water mark of this process's resident memory (VmHWM); 0 where /proc does not tell.
std::uint64_t peak_rss_bytes();

// --- One layer ------------------------------------------------------------------------------------------------------

/// What became of one linear layer (quantize), or how far one layer's output moved (verify).
struct LayerReport {
  std::string module_path, method;
  std::string scheme;  ///< quantize: the recipe's word, "w8a8" or "w8a16"; empty elsewhere
  /// tr((W-Q) H (W-Q)^T), the objective of GPTQ; without calibration, with H = I. By GPTQ, of a linear with more than
  /// 256 output channels, told from 256 of them, evenly spaced (QuantizedLayer::loss).
  double loss = 0;
  double rtn_loss = 0;  ///< the same for round-to-nearest, from the same channels
  double damp_used = 0;
  /// quantize: ||Y - Yq|| / ||Y|| of the linear as it will run (int8 activations included, in W8A8), over up to 256
  /// calibration rows; negative without calibration. verify: the same for the hidden states that leave the block, over
  /// all rows.
  double relative_error = -1;
  std::int64_t rows = 0;  ///< calibration rows behind the Hessian
  std::int64_t dead_columns = 0;
  bool fell_back_to_rtn = false;
  JsonBuilder to_json() const;
};

}  // namespace octavo
