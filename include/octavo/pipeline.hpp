/// Whole jobs: quantize a directory, verify the result against the original; each with progress and cancel.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/model.hpp"
#include "octavo/quant.hpp"

namespace octavo {

struct Progress {
  std::string stage;        ///< "calibrate", "model.layers.3", ...
  std::int64_t done = 0, total = 0;
};
/// Called from the job's thread. Returning false cancels.
using ProgressCallback = std::function<bool(const Progress&)>;

/// A line of a samples file (JSONL): {"id","image"|"images","prompt","answer","task"}; image paths relative to the file.
struct Sample {
  std::string id, prompt, answer, task;
  std::vector<std::string> images;
};
std::vector<Sample> read_samples(const std::string& jsonl_path, std::int64_t limit = 0);

struct LayerReport {
  std::string module_path, method;
  double loss = 0, rtn_loss = 0, damp_used = 0;
  double relative_error = 0;  ///< ||XW^T - XQ^T|| / ||XW^T|| on the calibration rows
  std::int64_t rows = 0, dead_columns = 0;
  bool fell_back_to_rtn = false;
};

struct QuantizeOptions {
  std::string recipe = "default";          ///< preset or path
  std::string calibration;                 ///< samples JSONL; may be empty only when no rule needs it (rtn)
  std::int64_t max_samples = 0;            ///< 0: all
  bool overwrite = false;
  std::uint64_t max_shard_bytes = std::uint64_t{5} << 30;
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;
};
struct QuantizeResult {
  std::vector<LayerReport> layers;
  std::uint64_t bytes_before = 0, bytes_after = 0;
  double seconds = 0;
  std::uint64_t peak_rss_bytes = 0;
  JsonBuilder to_json() const;
};
QuantizeResult quantize(const std::string& model_dir, const std::string& out_dir, const QuantizeOptions& options = {});

struct VerifyThresholds {
  double min_token_agreement = 0.90;
  double min_logit_cosine = 0.99;
  double max_kl = 0.05;
  double max_accuracy_drop = 0.02;  ///< absolute
};
struct VerifyOptions {
  std::string samples;
  std::int64_t max_samples = 0;
  std::int64_t max_new_tokens = 64;
  VerifyThresholds thresholds;
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;
};
struct TaskScore { std::string task; std::int64_t total = 0, original_right = 0, quantized_right = 0; };
struct VerifyResult {
  bool passed = false;
  std::vector<std::string> failures;   ///< one line per missed threshold
  std::vector<TaskScore> tasks;
  double token_agreement = 0, logit_cosine = 0, kl = 0;
  std::vector<LayerReport> layers;     ///< per-layer output error
  JsonBuilder to_json() const;
};
VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir, const VerifyOptions& options);

/// Structure problems of a directory, found from config.json and the safetensors headers alone.
struct CheckProblem { std::string what, where, remedy; bool fatal = true; };
struct CheckResult {
  std::vector<CheckProblem> problems;
  bool ok() const;
  JsonBuilder to_json() const;
};
CheckResult check(const std::string& model_dir);

/// What a directory holds, for `octavo inspect`.
JsonBuilder inspect(const std::string& model_dir);

/// Grounding: IoU of the first four integers of both answers; others: equal after trimming.
struct AnswerScore { bool right = false; double iou = 0; };
AnswerScore score_answer(std::string_view task, std::string_view expected, std::string_view actual);

}  // namespace octavo
