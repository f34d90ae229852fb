/// @file
/// Quantize: a model directory in, a W8A8 model directory out, by GPTQ over calibration samples.
///
///     QuantizeOptions options;
///     options.calibration = "calibration.jsonl";
///     quantize("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", options);
///
/// One call, which validates its inputs before the long work starts, reports progress, can be cancelled, throws
/// octavo::Error with one clear line, and leaves nothing half-written behind. It may run on any thread; two jobs at
/// once share the process's thread pool (see parallel.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "octavo/float_math.hpp"
#include "octavo/job.hpp"
#include "octavo/json.hpp"
#include "octavo/samples.hpp"

namespace octavo {

struct QuantizeOptions {
  std::string recipe = "default";  ///< preset, path, or JSON text: Recipe::open
  SampleSource calibration;        ///< may be empty only when no rule needs it (rtn)
  std::int64_t max_samples = 0;    ///< 0: all
  DecodeOptions decode;            ///< of the samples' pictures
  /// Of the passes that collect inputs and of the Hessians. Rounding to bf16, as the model itself was trained to run,
  /// moves the objective on rows that were not calibrated on by less than 0.1 % (docs/quantization.md), and takes a
  /// half to a fourth of the time where the processor multiplies bf16.
  FloatMath math = FloatMath::bf16;
  bool overwrite = false;  ///< replace an earlier output of quantize(), once the new one is complete: AtomicDirectory
  std::uint64_t max_shard_bytes = std::uint64_t{5} << 30;
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;  ///< set to true from anywhere (a signal handler, too) to stop the job
};
struct QuantizeResult {
  std::vector<LayerReport> layers;
  std::vector<std::string> warnings;  ///< one line each, e.g. too few calibration rows
  std::int64_t samples = 0, tokens = 0;
  FloatMath math = FloatMath::bf16;                 ///< QuantizeOptions::math
  std::vector<SkippedSample> skipped;               ///< samples left out, see SampleSource::skip_bad
  std::uint64_t bytes_before = 0, bytes_after = 0;  ///< of tensor data
  double seconds = 0;
  std::uint64_t peak_rss_bytes = 0;  ///< of the process so far; 0 where the system does not tell
  std::string recipe;                ///< the recipe as applied, JSON
  std::vector<std::string> files;    ///< names of what OUT holds; what else lies there keeps it from being overwritten
  JsonBuilder to_json() const;
  std::string to_html() const;  ///< one page, self-contained, with each linear's losses as charts
};
/// Quantizes MODEL into OUT: W8A8 and, where the recipe says so, W8A16, in compressed-tensors form, which transformers
/// and vLLM load.
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

}  // namespace octavo
