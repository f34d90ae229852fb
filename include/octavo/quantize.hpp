/// Whole jobs over model directories: quantize one, verify the result against the original (verify.hpp), check and
/// inspect one.
///
/// Each job is one call. The long ones report progress and can be cancelled; all of them validate their inputs before
/// the long work starts, throw octavo::Error with one clear line, and leave nothing half-written behind. A job may be
/// run from any thread; two jobs at once share the process's thread pool (see parallel.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/job.hpp"
#include "octavo/json.hpp"
#include "octavo/model.hpp"
#include "octavo/plan.hpp"
#include "octavo/quant.hpp"
#include "octavo/verify.hpp"

namespace octavo {

/// A line of a samples file (JSONL): {"id","image"|"images","prompt","answer","task"}; image paths relative to the
/// file. Only "prompt" is required.
struct Sample {
  std::string id, prompt, answer, task;
  std::vector<std::string> images;  ///< paths, resolved against the file's directory
};
/// Reads at most `limit` samples (0: all). Blank lines are skipped.
/// @throws Error  not_found / format naming file and line; invalid_argument when the file holds no sample.
std::vector<Sample> read_samples(const std::string& jsonl_path, std::int64_t limit = 0);

struct QuantizeOptions {
  std::string recipe = "default";  ///< preset or path
  std::string calibration;         ///< samples JSONL; may be empty only when no rule needs it (rtn)
  std::int64_t max_samples = 0;    ///< 0: all
  bool overwrite = false;          ///< replace an existing output directory, once the new one is complete
  std::uint64_t max_shard_bytes = std::uint64_t{5} << 30;
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;  ///< set to true from anywhere (a signal handler, too) to stop the job
};
struct QuantizeResult {
  std::vector<LayerReport> layers;
  std::vector<std::string> warnings;  ///< one line each, e.g. too few calibration rows
  std::int64_t samples = 0, tokens = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;  ///< of tensor data
  double seconds = 0;
  std::uint64_t peak_rss_bytes = 0;  ///< of the process so far; 0 where the system does not tell
  std::string recipe;                ///< the recipe as applied, JSON
  JsonBuilder to_json() const;
  std::string to_html() const;  ///< one page, self-contained, with each linear's losses as charts
};
/// Quantizes MODEL into OUT: W8A8 and, where the recipe says so, W8A16, in compressed-tensors form. transformers loads
/// both, vLLM W8A8.
///
/// Calibration runs block by block: each block collects one Hessian per distinct linear input with its float weights,
/// is quantized, and runs again, quantized, to give the next block what it will see at inference. Samples run with
/// their answers appended, so that answer tokens are calibrated, too. One block is resident at a time, shards are
/// written as they fill, and untouched tensors are copied from the mapped file.
///
/// OUT holds the shards (and index), config.json with `quantization_config`, every other file of MODEL byte for byte,
/// and octavo_report.json and .html. It is complete or absent: on an error or a cancel nothing is left.
/// @throws Error  exists, io, not_found, format, unsupported (already quantized; a recipe that splits linears that
///                share an input, or reaches linears outside the blocks), cancelled.
QuantizeResult quantize(const std::string& model_dir, const std::string& out_dir, const QuantizeOptions& options = {});

struct CheckOptions {
  std::vector<ImageSize> images;   ///< pixels, before resizing; none: one picture of 448 x 448 is planned
  std::int64_t prompt_tokens = 0;  ///< as PlanOptions
  std::int64_t max_new_tokens = 256;
  std::int64_t tensor_parallel = 0;  ///< ranks of a serving engine; 0: not asked
  bool keep_plan = false;            ///< the result holds the plan, step by step
};
/// Everything wrong with a directory, found without reading a weight: config.json, headers, the files beside them, and
/// every contract of every call (see plan.hpp).
struct CheckResult {
  std::vector<CheckProblem> problems;
  std::int64_t tensors = 0;
  std::vector<ParallelDim> tensor_parallel;  ///< with CheckOptions::tensor_parallel
  std::optional<ModelPlan> plan;             ///< with CheckOptions::keep_plan, when config.json lets it be made
  double seconds = 0;
  bool ok() const;  ///< no fatal problem
  JsonBuilder to_json() const;
};
/// Never throws for what is wrong inside the directory: that is what the result says. A directory that is missing or
/// holds no checkpoint is a fatal problem like any other, and so are options that the model cannot meet.
CheckResult check(const std::string& model_dir, const CheckOptions& options = {});

/// What a directory holds, for `octavo inspect`: model type and sizes, tensors by module, dtypes, stored schemes.
JsonBuilder inspect(const std::string& model_dir);

/// Grounding (a task whose name contains "ground"): IoU of the first four integers of both answers, right from 0.5;
/// others: equal after trimming white space and one final full stop, ASCII case ignored.
struct AnswerScore {
  bool right = false;
  double iou = 0;
};
AnswerScore score_answer(std::string_view task, std::string_view expected, std::string_view actual);
/// What score_answer compares of a grounding task: the answer's first four integers; none for another task.
std::optional<Box> answer_box(std::string_view task, std::string_view answer);

}  // namespace octavo
