/// @file
/// How a quantized model is judged against its original: what is measured, the bounds on it, and the score of answers.
/// verify.hpp runs the measurements step by step; attribution.hpp asks where a missed bound comes from.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/boxes.hpp"
#include "octavo/image.hpp"
#include "octavo/job.hpp"
#include "octavo/json.hpp"
#include "octavo/metrics.hpp"
#include "octavo/model.hpp"
#include "octavo/samples.hpp"

namespace octavo {

/// The steps of a verification, in their order; verify.hpp says what each runs.
inline constexpr std::array<std::string_view, 12> kVerifySteps{"open",        "text",     "one_token", "uncached",
                                                               "cached",      "image",    "images",    "long",
                                                               "second_turn", "sampling", "batch",     "evaluation"};

// --- Bounds ---------------------------------------------------------------------------------------------------------

/// Bounds on what a step measures. An absent one is not judged, nor is a metric that the step does not have.
struct VerifyThresholds {
  std::optional<double> min_token_agreement = {};
  std::optional<double> min_logit_cosine = {};
  std::optional<double> max_kl = {};             ///< nats
  std::optional<double> max_accuracy_drop = {};  ///< absolute
  std::optional<double> min_top1_agreement = {};
  std::optional<double> min_top5_agreement = {};
  std::optional<double> max_perplexity_ratio = {};  ///< quantized over original, on the original's answer
  /// ||cached - uncached|| / ||uncached|| of the last logits. Float rounding alone separates the two; in an int8 model
  /// a difference in the last bit can move an activation by a whole step, hence a bound of its own. At the step
  /// "batch" the same bounds hold for a batch against each sequence alone.
  std::optional<double> max_cache_difference = {};
  std::optional<double> max_cache_difference_quantized = {};
  JsonBuilder to_json() const;  ///< every key; null where absent
};

/// Thresholds and sizes of a verification: a preset, or a JSON file (schema: docs/verify.md).
struct VerifyProfile {
  std::string name;
  std::int64_t prompts = 4;                                    ///< text prompts per step
  std::int64_t long_tokens = 256;                              ///< of the step "long"
  VerifyThresholds thresholds;                                 ///< of every step that is not in `steps`
  std::map<std::string, VerifyThresholds, std::less<>> steps;  ///< complete, by step name

  static std::vector<std::string> preset_names();  ///< strict, default, lenient
  /// @throws Error  not_found listing the presets.
  static VerifyProfile preset(std::string_view name);
  /// @throws Error  format naming file and key: unknown keys, values of another kind or out of their domain.
  static VerifyProfile parse(const Json& json);
  /// A preset by name, else a file.
  static VerifyProfile open(const std::string& preset_or_path);
  const VerifyThresholds& for_step(std::string_view step) const;
  /// Puts each bound that `bounds` has in place of the profile's, at every step that judges the metric, and at the
  /// evaluation in any case.
  void override_with(const VerifyThresholds& bounds);
  JsonBuilder to_json() const;  ///< what parse reads
};

// --- What is measured -----------------------------------------------------------------------------------------------

/// A named number. `where` is a module path, a tensor or a model ("original", "quantized"); may be empty.
struct Measurement {
  std::string what, where;
  double value = 0;
  JsonBuilder to_json() const;
};

/// What a step measured, over its prompts. A metric that does not apply is absent.
struct StepMetrics {
  std::optional<std::int64_t> prompts;
  std::optional<std::int64_t> identical_prefix;  ///< tokens that both answers begin with, summed over the prompts
  std::optional<std::int64_t> tokens;            ///< of the longer answer, summed
  std::optional<double> token_agreement;         ///< mean of identical prefix over longer answer
  std::optional<std::int64_t> positions;         ///< behind the logit metrics
  std::optional<double> logit_cosine, kl, top1_agreement, top5_agreement;       ///< means, as in metrics.hpp
  std::optional<double> original_perplexity, quantized_perplexity;              ///< of the original's answer
  std::optional<double> original_accuracy, quantized_accuracy;                  ///< task score
  std::optional<double> original_cache_difference, quantized_cache_difference;  ///< see VerifyThresholds
  std::vector<Measurement> further;  ///< of this step alone, e.g. the vision rows' error

  void set_logits(const LogitComparison& logits);  ///< the logit metrics, and perplexities where there are targets
  /// One more pair of answers among the token metrics.
  void add_answers(std::span<const std::int32_t> original, std::span<const std::int32_t> quantized);
  JsonBuilder to_json() const;  ///< absent metrics are absent keys
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

struct StepFailure {
  Expectation expectation = Expectation::bound;
  std::string what;      ///< "logit cosine", "tokens with the cache (quantized)"
  std::string expected;  ///< "at least 0.99"
  std::string seen;      ///< "0.4123"
  std::string line() const;
};

/// One failure for every bound that the metrics miss; a NaN misses.
std::vector<StepFailure> missed_bounds(const VerifyThresholds& bounds, const StepMetrics& metrics);

// --- Answers --------------------------------------------------------------------------------------------------------

/// A sample is about grounding when its task's name contains "ground", in any case, or when the expected answer is a
/// box (is_box_answer).
bool is_grounding(std::string_view task, std::string_view expected);
/// Grounding: IoU of the boxes of both answers (box_in, whose forms boxes.hpp lists), right from 0.5; an answer without
/// a box is wrong. Others: equal answers (answer_part: without the reasoning) after trimming white space and one final
/// full stop, ASCII case ignored.
struct AnswerScore {
  bool right = false;
  double iou = 0;
};
AnswerScore score_answer(std::string_view task, std::string_view expected, std::string_view actual);

/// One sample of the evaluation, as both models answered it.
struct SampleResult {
  std::string id, task, prompt;
  std::vector<SampleImage> images;
  DecodeOptions decode;                                          ///< how they were read
  std::vector<PictureSize> image_sizes;                          ///< own, and as the model saw them, after resizing
  BoxSpace boxes = BoxSpace::model;                              ///< what the three boxes are in
  std::string expected;                                          ///< "" when the sample has no answer
  std::string original, quantized;                               ///< answers
  bool original_right = false, quantized_right = false;          ///< see score_answer
  std::optional<Box> expected_box, original_box, quantized_box;  ///< of grounding tasks: on the first picture
  double original_iou = 0, quantized_iou = 0;                    ///< with the expected box
  double token_agreement = 0, kl = 0;                            ///< as in VerifyResult, of this sample alone
  std::vector<std::int32_t> original_tokens, quantized_tokens;   ///< the answers as ids, stop token included
  JsonBuilder to_json() const;                                   ///< without the ids
};
/// A sample with both models' answers, scored; ids, and agreement of tokens and logits, are the caller's to fill in.
/// `boxes`: what the expected answer's box is in; with `original`, the models' boxes are moved there.
/// @throws Error  as common_scale, with `original`.
SampleResult score_sample(const Sample& sample, const ModelInput& input, std::string original, std::string quantized,
                          BoxSpace boxes = BoxSpace::model);

// --- Teacher forcing ------------------------------------------------------------------------------------------------

/// A model reads a prompt and an answer that is given, so that two models can be compared at every position of the same
/// text.
struct ForcedInput {
  ModelInput input;                   ///< prompt and all but the last token of the answer (cut before a picture's pad)
  std::int64_t first = 0;             ///< the row that predicts the answer's first token
  std::vector<std::int32_t> targets;  ///< what rows first .. predict
};
ForcedInput force_answer(const Model& model, const ModelInput& prompt, std::span<const std::int32_t> answer);
/// logits[L, vocab]: one row.
std::span<const float> row_of(const Tensor& logits, std::int64_t row);

}  // namespace octavo
