/// Verify: a climb from simple to hard that stops, with a diagnosis, at the first rung where a quantized model fails
/// its original.
///
///     VerifyOptions options;
///     options.samples = "held_out.jsonl";
///     VerifyResult result = verify("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", options);
///     if (!result.passed) std::cerr << result.diagnosis->causes[0];
///
/// The rungs, in order (docs/verify.md says what each runs and measures):
///
///     open         structure of both directories; same vocabulary, module tree, stop ids
///     text         one forward of text prompts
///     one_token    one generated token
///     uncached     16 tokens, everything recomputed for each
///     cached       the same through the cache; the tokens must be identical
///     image        a picture
///     images       odd sizes, and several pictures in one prompt
///     long         256 tokens, or as many as the context has room for
///     second_turn  a second question on a filled cache; must equal one uncached forward
///     sampling     sampling with a seed, twice; the tokens must be identical
///     batch        prompts of unequal length, some with pictures, as one batch; the tokens must be those of each alone
///     evaluation   the samples: answers, tokens, logits, hidden states, speed, size
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/image.hpp"
#include "octavo/job.hpp"
#include "octavo/json.hpp"

namespace octavo {

/// Bounds on what a rung measures. An absent one is not judged, nor is a metric that the rung does not have.
struct VerifyThresholds {
  std::optional<double> min_token_agreement = {};
  std::optional<double> min_logit_cosine = {};
  std::optional<double> max_kl = {};             ///< nats
  std::optional<double> max_accuracy_drop = {};  ///< absolute
  std::optional<double> min_top1_agreement = {};
  std::optional<double> min_top5_agreement = {};
  std::optional<double> max_perplexity_ratio = {};  ///< quantized over original, on the original's answer
  /// ||cached - uncached|| / ||uncached|| of the last logits. Float rounding alone separates the two; in an int8 model
  /// a difference in the last bit can move an activation by a whole step, hence a bound of its own. At the rung
  /// "batch" the same bounds hold for a batch against each sequence alone.
  std::optional<double> max_cache_difference = {};
  std::optional<double> max_cache_difference_quantized = {};
};

/// Thresholds and sizes of a climb: a preset, or a JSON file (schema: docs/verify.md).
struct VerifyProfile {
  std::string name;
  std::int64_t prompts = 4;                                    ///< text prompts per rung
  std::int64_t long_tokens = 256;                              ///< of the rung "long"
  VerifyThresholds thresholds;                                 ///< of every rung that is not in `rungs`
  std::map<std::string, VerifyThresholds, std::less<>> rungs;  ///< complete, by rung name

  static std::vector<std::string> preset_names();  ///< strict, default, lenient
  /// @throws Error  not_found listing the presets.
  static VerifyProfile preset(std::string_view name);
  /// @throws Error  format naming file and key: unknown keys, values of another kind or out of their domain.
  static VerifyProfile parse(const Json& json);
  /// A preset by name, else a file.
  static VerifyProfile open(const std::string& preset_or_path);
  const VerifyThresholds& for_rung(std::string_view rung) const;
  /// Puts each bound that `bounds` has in place of the profile's, at every rung that judges the metric, and at the
  /// evaluation in any case.
  void override_with(const VerifyThresholds& bounds);
  JsonBuilder to_json() const;  ///< what parse reads
};

/// A named number. `where` is a module path, a tensor or a model ("original", "quantized"); may be empty.
struct Measurement {
  std::string what, where;
  double value = 0;
};

/// What a rung measured, over its prompts. A metric that does not apply is absent.
struct RungMetrics {
  std::optional<std::int64_t> prompts;
  std::optional<std::int64_t> identical_prefix;  ///< tokens that both answers begin with, summed over the prompts
  std::optional<std::int64_t> tokens;            ///< of the longer answer, summed
  std::optional<double> token_agreement;         ///< mean of identical prefix over longer answer
  std::optional<std::int64_t> positions;         ///< behind the logit metrics
  std::optional<double> logit_cosine, kl, top1_agreement, top5_agreement;       ///< means, as in metrics.hpp
  std::optional<double> original_perplexity, quantized_perplexity;              ///< of the original's answer
  std::optional<double> original_accuracy, quantized_accuracy;                  ///< task score
  std::optional<double> original_cache_difference, quantized_cache_difference;  ///< see VerifyThresholds
  std::vector<Measurement> further;  ///< of this rung alone, e.g. the vision rows' error
};

/// What kind of expectation was missed.
enum class Expectation : std::uint8_t {
  structure,        ///< a directory that check finds fault with, or that does not open
  same_model,       ///< vocabulary, module tree, context length, stop ids
  same_input,       ///< both directories' tokenizer and image processor make the same of a prompt
  runs,             ///< the call returns instead of throwing
  finite,           ///< no NaN, no infinity among the logits
  bound,            ///< a threshold
  same_generation,  ///< generate takes the forward pass's most likely token
  same_cached,      ///< tokens, or logits, with the cache and without
  same_batched,     ///< tokens, or logits, in a batch and alone
  reproducible,     ///< two runs with one seed
};
const char* expectation_name(Expectation expectation) noexcept;  ///< never null

struct RungFailure {
  Expectation expectation = Expectation::bound;
  std::string what;      ///< "logit cosine", "tokens with the cache (quantized)"
  std::string expected;  ///< "at least 0.99"
  std::string seen;      ///< "0.4123"
  std::string line() const;
};

enum class RungStatus : std::uint8_t { passed, failed, skipped, not_reached };
const char* rung_status_name(RungStatus status) noexcept;  ///< "passed", "failed", "skipped", "not_reached"

struct RungResult {
  std::string name, title;
  RungStatus status = RungStatus::not_reached;
  std::string note;  ///< why it was skipped, or what was excused
  std::vector<RungFailure> failures;
  RungMetrics metrics;
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
  batch,            ///< what a sequence gets depends on its company
  generation,       ///< the choice of tokens, not the model
  quality,          ///< logits are close, answers are not
  failed_call,      ///< a call failed, and no probe says more than its message
};
const char* diagnosis_kind_name(DiagnosisKind kind) noexcept;  ///< never null

struct Diagnosis {
  DiagnosisKind kind = DiagnosisKind::failed_call;
  std::string rung;
  std::string expected, seen;             ///< of the rung's first failure
  std::string module;                     ///< the module, or tensor, at fault; "" when none stands out
  std::vector<std::string> causes;        ///< likeliest first, each with the measurement behind it
  std::vector<std::string> next;          ///< what to do, in order
  std::vector<Measurement> measurements;  ///< of the probe that was run, e.g. every block's error
};

struct VerifyOptions {
  std::string samples;               ///< samples JSONL; empty: built-in prompts, and no evaluation
  std::int64_t max_samples = 0;      ///< of the evaluation; 0: all
  std::int64_t max_new_tokens = 64;  ///< per greedy generation of the evaluation
  std::int64_t layer_samples = 4;    ///< how many samples the per-layer errors are taken from
  VerifyThresholds thresholds;       ///< go before the profile's, see VerifyProfile::override_with
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;
  std::string profile = "default";                 ///< preset or path
  bool run_all = false;                            ///< climbs on after a rung that failed
  std::function<void(const RungResult&)> on_rung;  ///< as each rung ends; from the job's thread
};
struct TaskScore {
  std::string task;
  std::int64_t total = 0, original_right = 0, quantized_right = 0;
};
/// x1, y1, x2, y2 in pixels of the picture as the model saw it.
using Box = std::array<double, 4>;
/// One sample of the evaluation, as both models answered it.
struct SampleResult {
  std::string id, task, prompt;
  std::vector<std::string> images;                               ///< paths
  std::vector<ImageSize> image_sizes;                            ///< in pixels as the model saw them, after resizing
  std::string expected;                                          ///< "" when the sample has no answer
  std::string original, quantized;                               ///< answers
  bool original_right = false, quantized_right = false;          ///< see score_answer
  std::optional<Box> expected_box, original_box, quantized_box;  ///< of grounding tasks: on the first picture
  double original_iou = 0, quantized_iou = 0;                    ///< with the expected box
  double token_agreement = 0, kl = 0;                            ///< as in VerifyResult, of this sample alone
};
/// Figures without a comment of their own are the evaluation's, 0 when it was not reached.
struct VerifyResult {
  bool passed = false;                 ///< no rung failed
  std::vector<RungResult> rungs;       ///< all of them, in order
  std::optional<Diagnosis> diagnosis;  ///< of the first rung that failed
  std::vector<std::string> failures;   ///< "rung: " and one line per missed expectation
  std::vector<TaskScore> tasks;        ///< samples with an answer, by task
  std::int64_t samples = 0;
  double token_agreement = 0;  ///< mean of (common prefix / longer answer), both greedy
  double exact_match = 0;      ///< share of samples whose greedy tokens are all equal
  double logit_cosine = 0;     ///< mean over answer positions, teacher-forced on the original's answer
  double kl = 0;               ///< mean KL(original || quantized) in nats, same positions
  double top1_agreement = 0;   ///< share of those positions with the same most likely token
  double top5_agreement = 0;   ///< share of the original's five most likely tokens among the quantized model's five
  double original_perplexity = 0, quantized_perplexity = 0;                ///< of the original's answers
  double original_accuracy = 0, quantized_accuracy = 0;                    ///< over all samples with an answer
  double original_tokens_per_second = 0, quantized_tokens_per_second = 0;  ///< decoding
  std::uint64_t original_bytes = 0, quantized_bytes = 0;                   ///< of tensor data
  double seconds = 0;                                                      ///< of the whole climb
  VerifyThresholds thresholds;                                             ///< of the evaluation, as applied
  VerifyProfile profile;                                                   ///< as applied
  std::vector<LayerReport> layers;    ///< output error of each block, as it accumulates
  std::vector<SampleResult> answers;  ///< one per sample, in the file's order
  /// Nothing failed but thresholds: both models run as they should and differ by degree, so that it can be asked where
  /// the loss is (see attribution.hpp).
  bool only_bounds_missed() const;
  JsonBuilder to_json() const;  ///< schema: docs/verify.md
};
/// Climbs. What is wrong with a model is a result: a rung that failed, with its diagnosis.
/// @throws Error  for what the caller gave: a missing directory, a QUANTIZED without quantization_config, samples,
///                pictures or a profile that cannot be used, options out of their domain; and cancelled.
VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir,
                    const VerifyOptions& options = {});

}  // namespace octavo
