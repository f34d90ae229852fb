/// @file
/// Verify: does a quantized model still answer like its original? Steps from simple to hard; the first one that fails
/// ends the verification, with a diagnosis.
///
///     VerifyOptions options;
///     options.samples = "held_out.jsonl";
///     VerifyResult result = verify("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", options);
///     if (!result.passed) std::cerr << result.diagnosis->causes[0];
///
/// The steps, in order (docs/verify.md says what each runs and measures):
///
///     open         structure of both directories; same vocabulary, module tree, stop ids
///     text         one forward of text prompts
///     one_token    one generated token
///     uncached     16 tokens, everything recomputed for each
///     cached       the same through the cache; the tokens must be identical
///     image        a picture
///     images       odd sizes, and several pictures in one prompt
///     long         256 tokens, or as many as fit the context
///     second_turn  a second question on a filled cache; must equal one uncached forward
///     sampling     sampling with a seed, twice; the tokens must be identical
///     batch        prompts of unequal length, some with pictures, as one batch; the tokens must be those of each alone
///     evaluation   the samples: answers, tokens, logits, hidden states, speed, size
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "octavo/evaluation.hpp"
#include "octavo/interval.hpp"
#include "octavo/job.hpp"
#include "octavo/json.hpp"
#include "octavo/model.hpp"
#include "octavo/samples.hpp"

namespace octavo {

/// not_judged: nothing was missed, but the original does so badly that nothing could be.
enum class StepStatus : std::uint8_t { passed, failed, skipped, not_reached, not_judged };
const char* step_status_name(StepStatus status) noexcept;  ///< "passed", "not_reached", ...; never null

struct StepResult {
  std::string name, title;
  StepStatus status = StepStatus::not_reached;
  std::string note;  ///< why it was skipped, or what was excused
  std::vector<StepFailure> failures;
  StepMetrics metrics;
  VerifyThresholds thresholds;  ///< as applied
  double seconds = 0;
};

/// Where the fault lies, as far as measurements tell.
enum class DiagnosisKind : std::uint8_t {
  structure,        ///< files or tensors
  different_model,  ///< not two forms of one model
  input,            ///< tokenizer or image processor files
  not_finite,       ///< a module gives NaN or infinity
  module,           ///< one language module's error stands out
  vision,           ///< the error comes in with the pictures
  accumulated,      ///< no module stands out; error gathers over layers, or over tokens
  cache,            ///< positions or cache
  batch,            ///< what a sequence gets depends on the others in its batch
  generation,       ///< the choice of tokens, not the model
  quality,          ///< logits are close, answers are not
  failed_call,      ///< a call failed, and no probe says more than its message
};
const char* diagnosis_kind_name(DiagnosisKind kind) noexcept;  ///< never null

struct Diagnosis {
  DiagnosisKind kind = DiagnosisKind::failed_call;
  std::string step;
  std::string expected, seen;             ///< of the step's first failure
  std::string module;                     ///< the module, or tensor, at fault; "" when none stands out
  std::vector<std::string> causes;        ///< likeliest first, each with the measurement behind it
  std::vector<std::string> next;          ///< what to do, in order
  std::vector<Measurement> measurements;  ///< of the probe that was run, e.g. every block's error
};

struct VerifyOptions {
  SampleSource samples;              ///< empty: built-in prompts, and no evaluation
  std::int64_t max_samples = 0;      ///< of the evaluation; 0: all
  std::int64_t max_new_tokens = 64;  ///< per greedy generation of the evaluation
  BoxSpace boxes = BoxSpace::model;  ///< what boxes in the expected answers are in
  std::int64_t layer_samples = 4;    ///< how many samples the per-layer errors are taken from
  VerifyThresholds thresholds;       ///< override the profile's, see VerifyProfile::override_with
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;
  std::string profile = "default";  ///< preset or path
  DecodeOptions decode;             ///< of the samples' pictures
  bool run_all = false;             ///< goes on after a step that failed
  /// The caller goes on with attribute() and its suggestion, so that a diagnosis need not advise it.
  bool suggests = false;
  /// How the quantized model is run, and what its cache holds (f32, bf16 or s8, see KvCache). The original is run in
  /// float32 with a float32 cache in any case, and the bounds stay as they are: what is judged is the quantized model
  /// as it will be run.
  ModelOptions model;
  DType cache_dtype = DType::f32;
  std::function<void(const StepResult&)> on_step;  ///< as each step ends; from the job's thread
};
struct TaskScore {
  std::string task;
  std::int64_t total = 0, original_right = 0, quantized_right = 0;
};
/// The samples that expect an answer, as pairs of the two models' answers, and how sure the shares are.
struct AccuracyComparison {
  PairedCounts counts;           ///< first: the original; second: the quantized model
  Interval original, quantized;  ///< of each one's share, see share_interval
  Interval drop;                 ///< of the original's share less the quantized model's, see difference_interval
  double p = 1;                  ///< see mcnemar_p

  /// The intervals hold what the counts say. @throws Error  invalid_argument without samples.
  static AccuracyComparison of(const PairedCounts& counts);
};
/// How fast the two decode, sample after sample in turn. Figures are comparable where nothing else kept the machine
/// busy meanwhile.
struct DecodingSpeed {
  double original_tokens_per_second = 0, quantized_tokens_per_second = 0;
  std::int64_t original_tokens = 0, quantized_tokens = 0;  ///< decoded, without each answer's first
  double original_seconds = 0, quantized_seconds = 0;      ///< that they took
  std::uint64_t original_read = 0, quantized_read = 0;     ///< bytes of weights that a token reads
  std::int64_t processors = 0;                             ///< of the machine
  /// Processors that other programs kept busy, on average; absent where the system does not tell.
  std::optional<double> other_load;
  bool compared = false;  ///< measured for long enough, without other load
  std::string why;        ///< of what was compared: why it is faster or slower; else why it was not
};
/// Figures without a comment of their own are the evaluation's, 0 when it was not reached.
struct VerifyResult {
  bool passed = false;  ///< no step failed, and not_judged is empty
  /// Why the samples allow no judgement, "" where they do: the original gets none of them right, or fewer than their
  /// most frequent answer would, given every time. What it cannot do, quantizing cannot make worse.
  std::string not_judged;
  std::vector<StepResult> steps;       ///< all of them, in order
  std::optional<Diagnosis> diagnosis;  ///< of the first step that failed
  std::vector<std::string> failures;   ///< "step: " and one line per missed expectation
  std::vector<TaskScore> tasks;        ///< samples with an answer, by task
  std::int64_t samples = 0;
  std::vector<SkippedSample> skipped;  ///< samples left out, see SampleSource::skip_bad
  double token_agreement = 0;          ///< mean of (common prefix / longer answer), both greedy
  double exact_match = 0;              ///< share of samples whose greedy tokens are all equal
  double logit_cosine = 0;             ///< mean over answer positions, teacher-forced on the original's answer
  double kl = 0;                       ///< mean KL(original || quantized) in nats, same positions
  double top1_agreement = 0;           ///< share of those positions with the same most likely token
  double top5_agreement = 0;  ///< share of the original's five most likely tokens among the quantized model's five
  double original_perplexity = 0, quantized_perplexity = 0;  ///< of the original's answers
  double original_accuracy = 0, quantized_accuracy = 0;      ///< over all samples with an answer
  std::optional<AccuracyComparison> accuracy;                ///< absent without such samples
  DecodingSpeed speed;
  std::uint64_t original_bytes = 0, quantized_bytes = 0;  ///< of tensor data
  double seconds = 0;                                     ///< of the whole verification
  VerifyThresholds thresholds;                            ///< of the evaluation, as applied
  VerifyProfile profile;                                  ///< as applied
  ModelOptions model;                                     ///< the quantized model's
  DType cache_dtype = DType::f32;                         ///< of the quantized model's cache
  std::vector<LayerReport> layers;                        ///< output error of each block, as it accumulates
  std::vector<SampleResult> answers;                      ///< one per sample, in the file's order
  /// Nothing failed but thresholds: both models run as they should and differ by degree, so that it can be asked where
  /// the loss is (see attribution.hpp).
  bool only_bounds_missed() const;
  /// The verdict in one line without its mark: "passed: ...", "failed: KL divergence is 0.77, expected at most 0.05
  /// (step text)", "cannot judge: ...".
  std::string verdict() const;
  /// How the quantized model was run, where not by default: "vision_math bf16, lm_head int8, kv_cache s8"; else "".
  std::string run_text() const;
  JsonBuilder to_json() const;  ///< schema: docs/verify.md
};
/// Runs the steps. What is wrong with a model is a result: a step that failed, with its diagnosis.
/// @throws Error  for what the caller gave: a missing directory, a QUANTIZED without quantization_config, samples,
///                pictures or a profile that cannot be used, options out of their domain; and cancelled.
VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir,
                    const VerifyOptions& options = {});

}  // namespace octavo
