/// @file
/// What every whole job shares: samples to work on, progress and cancelling, and what it says of one layer. Jobs of
/// your own (a calibration loop, an evaluation) can be written on the same parts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "octavo/image.hpp"
#include "octavo/json.hpp"
#include "octavo/model.hpp"

namespace octavo {

// --- Progress -------------------------------------------------------------------------------------------------------

/// How far a job is. `done` counts steps of about equal cost over the whole job, so that time left can be told.
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
  void check_cancelled() const;        ///< looks at the flag alone

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

// --- Samples --------------------------------------------------------------------------------------------------------

/// A line of a samples file (JSONL): {"id","image"|"images","prompt","answer","task"}; image paths relative to the
/// file. Only "prompt" is required.
struct Sample {
  std::string id, prompt, answer, task;
  std::vector<std::string> images;  ///< paths, resolved against the file's directory
  DecodeOptions decode;             ///< how they are read
};
/// Reads at most `limit` samples (0: all), whose pictures are to be read as `decode` says. Blank lines are skipped.
/// @throws Error  not_found / format naming file and line; invalid_argument when the file holds no sample.
std::vector<Sample> read_samples(const std::string& jsonl_path, std::int64_t limit = 0,
                                 const DecodeOptions& decode = {});
/// Every sample's pictures must exist before hours of work start.
/// @throws Error  not_found naming the sample and the path.
void require_images(const std::vector<Sample>& samples);
/// Pictures of a sample, decoded. @throws Error  as load_image.
std::vector<Image> load_images(const Sample& sample);
/// A sample's prompt and pictures, without its answer; what is wrong with them names the sample.
ModelInput prepare_question(const Model& model, const Sample& sample);
/// `room`: positions of the context that the prompt leaves free.
/// @throws Error  invalid_argument naming the sample when there is none.
void require_room(const Sample& sample, const ModelInput& input, std::int64_t room);

// --- One layer ------------------------------------------------------------------------------------------------------

/// What became of one linear layer (quantize), or how far one layer's output moved (verify).
struct LayerReport {
  std::string module_path, method;
  std::string scheme;   ///< quantize: the recipe's word, "w8a8" or "w8a16"; empty elsewhere
  double loss = 0;      ///< tr((W-Q) H (W-Q)^T), the objective of GPTQ; 0 without calibration
  double rtn_loss = 0;  ///< the same for round-to-nearest
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
