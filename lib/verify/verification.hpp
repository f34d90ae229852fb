/// A verification under way: its state, and what every step may use. A step is one function and one entry of the table
/// in verify.cpp; it fills metrics and reports each expectation that was missed. Thresholds and diagnosis are not its
/// business.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/job.hpp"
#include "octavo/metrics.hpp"
#include "octavo/model.hpp"
#include "octavo/samples.hpp"
#include "octavo/session.hpp"
#include "octavo/verify.hpp"

namespace octavo::detail {

struct Probe;
struct Tried;

/// A mistake of the caller's in samples or pictures: ends the verification as an error instead of failing a step.
class InputError : public Error {
 public:
  explicit InputError(const Error& error) : Error(error) {}
};

/// Two runs of one model over the same tokens that differ: without a cache (the reference) and with it, or alone (the
/// reference) and in a batch.
struct RunDifference {
  std::string model;  ///< "original", "quantized"
  std::int64_t token = 0;
  double logit_difference = 0;  ///< ||other - reference|| / ||reference|| at that token
  double gap = 0;               ///< between the two tokens in the reference's logits
  double largest = 0;           ///< largest |other - reference| of a logit at that token
};
/// The two tokens are closer than rounding has moved the logits, by no more than `bound` as a whole: either may win.
bool is_tie(const RunDifference& difference, std::optional<double> bound);

/// What a failed step leaves for the probe.
struct Evidence {
  std::optional<ModelInput> input;  ///< the one that fared worst
  double badness = -1;
  std::string not_finite_module;  ///< of which a weight is NaN or infinite
  bool pictures_differ = false;   ///< the two image processors disagree
  std::optional<RunDifference> cache, batch;
  std::vector<Measurement> measurements;
  void note(const ModelInput& worst, double how_bad);
};

struct Verification {
  Verification(const std::string& original_directory, const std::string& quantized_directory,
               const VerifyOptions& given);

  const VerifyOptions& options;
  std::string original_dir, quantized_dir;
  JobProgress steps;
  VerifyProfile profile;
  std::vector<Sample> samples;               ///< whose pictures decode, since the step "open"
  std::optional<Model> original, quantized;  ///< since the step "open"
  Evidence evidence;                         ///< of the step that runs
  VerifyResult result;

  // Made once, by whichever step needs it first.
  std::optional<std::vector<ModelInput>> text_prompts;
  struct Answers {
    std::vector<std::vector<std::int32_t>> original, quantized;  ///< by text prompt
  };
  std::optional<Answers> uncached;

  const Model& model(bool quantized_one) const { return quantized_one ? *quantized : *original; }
  /// Of a cached run; the original's is always float32.
  DType cache_dtype(bool quantized_one) const { return quantized_one ? options.cache_dtype : DType::f32; }
  Session session(bool quantized_one, std::int64_t capacity) const {
    return Session(model(quantized_one), capacity, cache_dtype(quantized_one));
  }
};

inline const char* side(bool quantized) { return quantized ? "quantized" : "original"; }
/// How far apart the logits of one model's runs may be.
inline std::optional<double> cache_bound(const VerifyThresholds& bounds, bool quantized) {
  return quantized ? bounds.max_cache_difference_quantized : bounds.max_cache_difference;
}

// --- Prompts (prompts.cpp) -------------------------------------------------------------------------------------------

/// The first distinct prompts of the samples, without their pictures, else built-in ones.
const std::vector<ModelInput>& text_prompts(Verification& verification);
/// Up to `limit` of the samples that have pictures; a built-in picture and prompt when there is none. None where the
/// model takes no pictures.
std::vector<ModelInput> picture_prompts(Verification& verification, StepResult& step, std::size_t limit);
/// The prompt text that goes with pictures made here.
std::string picture_question(const Verification& verification);
/// Prepares with the original's files and checks that the quantized directory's give the same; a difference is a
/// failure of the step.
ModelInput prepare_both(Verification& verification, StepResult& step, std::span<const ChatMessage> messages,
                        std::span<const Image> images);
/// The same for one user turn: pictures, then the text.
ModelInput prepare_both(Verification& verification, StepResult& step, std::string_view prompt,
                        std::span<const Image> images);
/// Positions of the context that a prompt leaves.
std::int64_t room(const Verification& verification, const ModelInput& prompt);

/// A deterministic picture: `pattern` 0 is a gradient with a disc, 1 a checkerboard of 9 px, 2 vertical stripes of 1
/// px.
Image synthetic_picture(std::int64_t height, std::int64_t width, int pattern);

// --- Runs (runs.cpp) -------------------------------------------------------------------------------------------------

struct RunOptions {
  std::int64_t max_new_tokens = 16;
  bool use_cache = true;
  bool ignore_eos = false;
  std::optional<SamplingOptions> sampling = {};  ///< absent: greedy, whatever generation_config.json says
};
GenerateResult generate(Verification& verification, bool quantized, const ModelInput& input, const RunOptions& options);
/// The same of several prompts in one batch.
std::vector<GenerateResult> generate(Verification& verification, bool quantized, std::span<const ModelInput> inputs,
                                     const RunOptions& options);

/// Logits of both models for prompt + answer; rows `first` .. predict the tokens that follow the prompt.
struct ForcedRun : ForcedInput {
  Tensor original, quantized;  // f32 [L, vocab]
};
/// Both models read the same tokens, the quantized one as a cache of its type gives keys and values back. With
/// `hidden`, receives each model's layer outputs.
struct HiddenStates {
  std::vector<Tensor> original, quantized;
};
ForcedRun forced_run(Verification& verification, const ModelInput& prompt, std::span<const std::int32_t> answer,
                     HiddenStates* hidden = nullptr);

/// Compares rows first .. of a run. Logits that are not finite are a failure of the step, and are left out.
/// `from` moves the first compared row (text steps look at the prompt's rows, too).
LogitComparison compare_rows(Verification& verification, StepResult& step, const ForcedRun& run, std::int64_t from);
/// Greedy tokens must be what the uncached forward pass finds most likely.
void expect_greedy(Verification& verification, StepResult& step, const ForcedRun& run, bool quantized);
/// The two runs' logits at `token`, the first that differs.
RunDifference weigh(bool quantized, std::int64_t token, std::span<const float> reference, std::span<const float> other,
                    std::span<const std::int32_t> reference_tokens, std::span<const std::int32_t> other_tokens);
/// Whether the runs parted at a tie within the step's bound; then the step's note says so.
bool excused(StepResult& step, bool quantized, const RunDifference& difference);
/// Tokens in a batch must be those alone, but for a measured tie; all answers are to `prompts`, in order.
void expect_same_alone(Verification& verification, StepResult& step, bool quantized,
                       std::span<const ModelInput> prompts, const std::vector<std::vector<std::int32_t>>& alone,
                       const std::vector<std::vector<std::int32_t>>& together);
std::string ids_text(std::span<const std::int32_t> ids);  ///< "12 7 404", at most eight

/// First row after the last picture's pads; 0 without pictures.
std::int64_t first_row_after_pictures(const Verification& verification, const ModelInput& input);
inline bool is_pad(const Verification& verification, std::int32_t id) { return verification.original->is_pad(id); }

// --- Steps (steps/*.cpp) ---------------------------------------------------------------------------------------------

void step_open(Verification& verification, StepResult& step);
void step_text(Verification& verification, StepResult& step);
void step_one_token(Verification& verification, StepResult& step);
void step_uncached(Verification& verification, StepResult& step);
void step_cached(Verification& verification, StepResult& step);
void step_image(Verification& verification, StepResult& step);
void step_images(Verification& verification, StepResult& step);
void step_long(Verification& verification, StepResult& step);
void step_second_turn(Verification& verification, StepResult& step);
void step_sampling(Verification& verification, StepResult& step);
void step_batch(Verification& verification, StepResult& step);
void step_evaluation(Verification& verification, StepResult& step);

// --- Judgement -------------------------------------------------------------------------------------------------------

/// Runs the probe that tells, and says what it found. (diagnosis.cpp)
Diagnosis diagnose(Verification& verification, const StepResult& step);
/// The same from measurements alone; `probe` may be null. What was tried before is not advised again.
Diagnosis explain(const StepResult& step, const Evidence& evidence, const Probe* probe, const Tried& tried);

}  // namespace octavo::detail
