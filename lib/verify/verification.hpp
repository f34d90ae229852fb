/// The climb of verify: its state, and what every rung may use. A rung is one function and one entry of the table in
/// ladder.cpp; it fills metrics and reports what it expected in vain. Thresholds and diagnosis are not its business.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "forced.hpp"
#include "internal.hpp"
#include "octavo/metrics.hpp"

namespace octavo::pipeline {

struct Probe;

/// A mistake of the caller's in samples or pictures: ends the climb as an error instead of failing a rung.
class InputError : public Error {
 public:
  explicit InputError(const Error& error) : Error(error) {}
};

/// Two runs of one model over the same tokens that differ: without a cache (the reference) and with it, or alone (the
/// reference) and in a batch.
struct RunDifference {
  std::string model;  ///< "original", "quantized"
  std::int64_t step = 0;
  double logit_difference = 0;  ///< ||other - reference|| / ||reference|| at that step
  double gap = 0;               ///< between the two tokens in the reference's logits
  double largest = 0;           ///< largest |other - reference| of a logit at that step
};
/// The two tokens are closer than rounding has moved the logits, by no more than `bound` as a whole: either may win.
bool is_tie(const RunDifference& difference, std::optional<double> bound);

/// What a failed rung leaves for the probe.
struct Evidence {
  std::optional<ModelInput> input;  ///< the one that fared worst
  double badness = -1;
  bool pictures_differ = false;  ///< the two image processors disagree
  std::optional<RunDifference> cache, batch;
  std::vector<Measurement> measurements;
  void note(const ModelInput& worst, double how_bad);
};

struct Climb {
  Climb(const std::string& original_directory, const std::string& quantized_directory, const VerifyOptions& given);

  const VerifyOptions& options;
  std::string original_dir, quantized_dir;
  Steps steps;
  VerifyProfile profile;
  std::vector<Sample> samples;
  std::optional<Model> original, quantized;  ///< since the rung "open"
  Evidence evidence;                         ///< of the rung that runs
  VerifyResult result;

  // Made once, by whichever rung needs it first.
  std::optional<std::vector<ModelInput>> text_prompts;
  struct Answers {
    std::vector<std::vector<std::int32_t>> original, quantized;  ///< by text prompt
  };
  std::optional<Answers> uncached;

  const Model& model(bool quantized_one) const { return quantized_one ? *quantized : *original; }
};

inline const char* side(bool quantized) { return quantized ? "quantized" : "original"; }
/// How far apart the logits of one model's runs may be.
inline std::optional<double> cache_bound(const VerifyThresholds& bounds, bool quantized) {
  return quantized ? bounds.max_cache_difference_quantized : bounds.max_cache_difference;
}

// --- Prompts (prompts.cpp)
// ---------------------------------------------------------------------------------------------

/// The first distinct prompts of the samples, without their pictures, else built-in ones.
const std::vector<ModelInput>& text_prompts(Climb& climb);
/// Up to `limit` of the samples that have pictures; a built-in picture and prompt when there is none.
std::vector<ModelInput> picture_prompts(Climb& climb, RungResult& rung, std::size_t limit);
/// The prompt text that goes with pictures made here.
std::string picture_question(const Climb& climb);
/// Prepares with the original's files and checks that the quantized directory's give the same; a difference is a
/// failure of the rung.
ModelInput prepare_both(Climb& climb, RungResult& rung, std::string_view prompt, std::span<const Image> images);
/// Positions of the context that a prompt leaves.
std::int64_t room(const Climb& climb, const ModelInput& prompt);

/// A deterministic picture: `pattern` 0 is a gradient with a disc, 1 a checkerboard of 9 px, 2 vertical stripes of 1
/// px.
Image synthetic_picture(std::int64_t height, std::int64_t width, int pattern);

// --- Runs (runs.cpp)
// ---------------------------------------------------------------------------------------------------

struct RunOptions {
  std::int64_t max_new_tokens = 16;
  bool use_cache = true;
  bool ignore_eos = false;
  std::optional<SamplingOptions> sampling = {};  ///< absent: greedy, whatever generation_config.json says
};
GenerateResult generate(Climb& climb, bool quantized, const ModelInput& input, const RunOptions& options);
/// The same of several prompts in one batch.
std::vector<GenerateResult> generate(Climb& climb, bool quantized, std::span<const ModelInput> inputs,
                                     const RunOptions& options);

/// Logits of both models for prompt + answer; rows `first` .. predict the tokens that follow the prompt.
struct ForcedRun : ForcedInput {
  Tensor original, quantized;  // f32 [L, vocab]
};
/// Both models read the same tokens. With `hidden`, receives each model's layer outputs.
struct HiddenStates {
  std::vector<Tensor> original, quantized;
};
ForcedRun forced_run(Climb& climb, const ModelInput& prompt, std::span<const std::int32_t> answer,
                     HiddenStates* hidden = nullptr);

/// Compares rows first .. of a run. Logits that are not finite are a failure of the rung, and are left out.
/// `from` moves the first compared row (text rungs look at the prompt's rows, too).
LogitComparison compare_rows(Climb& climb, RungResult& rung, const ForcedRun& run, std::int64_t from);
void set_logit_metrics(RungMetrics& metrics, const LogitComparison& logits);
/// Adds one pair of answers to the token metrics; call finish_token_metrics when all are in.
void add_answers(RungMetrics& metrics, std::span<const std::int32_t> a, std::span<const std::int32_t> b);
/// Greedy tokens must be what the uncached forward pass finds most likely.
void expect_greedy(Climb& climb, RungResult& rung, const ForcedRun& run, bool quantized);
double relative_difference(std::span<const float> reference, std::span<const float> other);
/// The two runs' logits at `step`, where their tokens part.
RunDifference weigh(bool quantized, std::int64_t step, std::span<const float> reference, std::span<const float> other,
                    std::span<const std::int32_t> reference_tokens, std::span<const std::int32_t> other_tokens);
/// Whether the runs parted at a tie within the rung's bound; then the rung's note says so.
bool excused(RungResult& rung, bool quantized, const RunDifference& difference);
/// Tokens in a batch must be those alone, but for a measured tie; all answers are to `prompts`, in order.
void expect_same_alone(Climb& climb, RungResult& rung, bool quantized, std::span<const ModelInput> prompts,
                       const std::vector<std::vector<std::int32_t>>& alone,
                       const std::vector<std::vector<std::int32_t>>& together);
std::string ids_text(std::span<const std::int32_t> ids);  ///< "12 7 404", at most eight
std::string number(double value);

/// First row after the last picture's pads; 0 without pictures.
std::int64_t first_row_after_pictures(const Climb& climb, const ModelInput& input);
inline bool is_pad(const Climb& climb, std::int32_t id) { return is_pad(*climb.original, id); }

// --- Rungs (rungs_*.cpp, evaluation.cpp)
// -------------------------------------------------------------------------------

void climb_open(Climb& climb, RungResult& rung);
void climb_text(Climb& climb, RungResult& rung);
void climb_one_token(Climb& climb, RungResult& rung);
void climb_uncached(Climb& climb, RungResult& rung);
void climb_cached(Climb& climb, RungResult& rung);
void climb_image(Climb& climb, RungResult& rung);
void climb_images(Climb& climb, RungResult& rung);
void climb_long(Climb& climb, RungResult& rung);
void climb_second_turn(Climb& climb, RungResult& rung);
void climb_sampling(Climb& climb, RungResult& rung);
void climb_batch(Climb& climb, RungResult& rung);
void climb_evaluation(Climb& climb, RungResult& rung);

// --- Judgement
// ---------------------------------------------------------------------------------------------------------

/// Adds a failure for every bound that the metrics miss; a NaN misses. (judge.cpp)
void judge(const VerifyThresholds& bounds, RungResult& rung);
/// Runs the probe that tells, and says what it found. (diagnosis.cpp)
Diagnosis diagnose(Climb& climb, const RungResult& rung);
/// The same from measurements alone; `probe` may be null.
Diagnosis explain(const RungResult& rung, const Evidence& evidence, const Probe* probe);

}  // namespace octavo::pipeline
