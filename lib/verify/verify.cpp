// The steps in their order, and the verification.
#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "octavo/checkpoint.hpp"
#include "verification.hpp"

namespace octavo {
namespace detail {
namespace {

struct Step {
  std::string_view name;  ///< as in kVerifySteps
  const char* title;
  /// Progress in units of about one prompt's run; text prompts and samples are known by then.
  std::int64_t (*steps)(std::int64_t prompts, std::int64_t samples);
  void (*run)(Verification& verification, StepResult& step);
};

// A new step is one more line here, and its name one more in kVerifySteps.
constexpr std::array kSteps{
    Step{"open", "open and check", [](std::int64_t, std::int64_t) -> std::int64_t { return 3; }, step_open},
    Step{"text", "one forward of text", [](std::int64_t p, std::int64_t) { return 2 * p; }, step_text},
    Step{"one_token", "one token", [](std::int64_t p, std::int64_t) { return 2 * p; }, step_one_token},
    Step{"uncached", "16 tokens without a cache", [](std::int64_t p, std::int64_t) { return 4 * p; }, step_uncached},
    Step{"cached", "16 tokens with a cache", [](std::int64_t p, std::int64_t) { return 4 * p; }, step_cached},
    Step{"image", "a picture", [](std::int64_t, std::int64_t) -> std::int64_t { return 8; }, step_image},
    Step{"images", "odd sizes, several pictures", [](std::int64_t, std::int64_t) -> std::int64_t { return 14; },
         step_images},
    Step{"long", "long generation", [](std::int64_t, std::int64_t) -> std::int64_t { return 4; }, step_long},
    Step{"second_turn", "second turn on the cache", [](std::int64_t, std::int64_t) -> std::int64_t { return 6; },
         step_second_turn},
    Step{"sampling", "sampling with a seed, twice", [](std::int64_t p, std::int64_t) { return 4 * p; }, step_sampling},
    Step{"batch", "several prompts as one batch", [](std::int64_t p, std::int64_t) { return 8 * (p + 2); }, step_batch},
    Step{"evaluation", "the samples", [](std::int64_t, std::int64_t s) { return 4 * s; }, step_evaluation}};
static_assert(std::equal(kSteps.begin(), kSteps.end(), kVerifySteps.begin(), kVerifySteps.end(),
                         [](const Step& step, std::string_view name) { return step.name == name; }));

std::int64_t steps_of(const Verification& verification, const Step& step) {
  return step.steps(verification.profile.prompts, static_cast<std::int64_t>(verification.samples.size()));
}

/// What a model does wrong fails the step; what the caller did wrong, or a cancel, ends the verification.
void attempt(Verification& verification, const Step& step, StepResult& result) {
  verification.evidence = {};
  verification.steps.stage(std::string(step.name));
  const Stopwatch watch;
  try {
    step.run(verification, result);
  } catch (const InputError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    result.failures.push_back({Expectation::runs, "a call that failed", "none", error.what()});
  }
  const std::vector<StepFailure> missed = missed_bounds(result.thresholds, result.metrics);
  result.failures.insert(result.failures.end(), missed.begin(), missed.end());
  result.seconds = watch.seconds();
  if (!result.failures.empty())
    result.status = StepStatus::failed;
  else if (result.status == StepStatus::not_reached)
    result.status = StepStatus::passed;
}

void run_steps(Verification& verification) {
  VerifyResult& verdict = verification.result;
  std::int64_t total = 0;
  for (const Step& step : kSteps) {
    total += steps_of(verification, step);
    StepResult result;
    result.name = step.name;
    result.title = step.title;
    result.thresholds = verification.profile.for_step(step.name);
    verdict.steps.push_back(std::move(result));
  }
  verification.steps.set_total(total);
  std::int64_t behind = 0;
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    StepResult& result = verdict.steps[i];
    attempt(verification, kSteps[i], result);
    behind += steps_of(verification, kSteps[i]);
    verification.steps.advance_to(behind);
    for (const StepFailure& failure : result.failures) verdict.failures.push_back(result.name + ": " + failure.line());
    if (result.status == StepStatus::failed && !verdict.diagnosis) verdict.diagnosis = diagnose(verification, result);
    if (verification.options.on_step) verification.options.on_step(result);
    const bool opened = verification.original && verification.quantized;
    if (result.status == StepStatus::failed && !(verification.options.run_all && opened)) break;
  }
  verdict.passed = verdict.failures.empty() && verdict.not_judged.empty();
}

/// Two directories, the second with a quantization_config: a mistake here is in the call, not in a model.
void require_directories(const std::string& original, const std::string& quantized) {
  for (const std::string& directory : {original, quantized}) {
    if (!std::filesystem::is_directory(directory))
      throw Error(ErrorCode::not_found, "verify: " + directory + " is not a directory; expected MODEL, then QUANTIZED");
    if (!std::filesystem::exists(std::filesystem::path(directory) / "config.json"))
      throw Error(ErrorCode::not_found,
                  "verify: " + directory + " holds no config.json; expected MODEL, then QUANTIZED");
  }
  std::optional<Json> config;
  try {
    config = Json::read_file((std::filesystem::path(quantized) / "config.json").string());
  } catch (const Error&) {
    return;  // the first step says what is wrong with it
  }
  if (const auto stated = config->find("quantization_config"); !stated || stated->is_null())
    throw Error(ErrorCode::invalid_argument,
                "verify: " + quantized +
                    " is not quantized (its config.json has no quantization_config); expected MODEL, then QUANTIZED");
}

void require_positive(const char* option, std::int64_t value, const char* why) {
  if (value < 1)
    throw Error(ErrorCode::invalid_argument,
                "verify: " + std::string(option) + " is " + std::to_string(value) + "; " + why);
}

}  // namespace

Verification::Verification(const std::string& original_directory, const std::string& quantized_directory,
                           const VerifyOptions& given)
    : options(given),
      original_dir(original_directory),
      quantized_dir(quantized_directory),
      steps(given.progress, given.cancel, "verify", "no result"),
      profile(VerifyProfile::open(given.profile)) {
  profile.override_with(given.thresholds);
  if (given.samples.empty()) return;
  SampleSet set = read_samples(given.samples, given.max_samples, given.decode);
  samples = std::move(set.samples);
  result.skipped = std::move(set.skipped);
}

}  // namespace detail

bool VerifyResult::only_bounds_missed() const {
  return std::all_of(steps.begin(), steps.end(), [](const StepResult& step) {
    return std::all_of(step.failures.begin(), step.failures.end(),
                       [](const StepFailure& failure) { return failure.expectation == Expectation::bound; });
  });
}

AccuracyComparison AccuracyComparison::of(const PairedCounts& counts) {
  if (counts.total() == 0)
    throw Error(ErrorCode::invalid_argument, "AccuracyComparison: there are no samples to compare answers on");
  AccuracyComparison accuracy;
  accuracy.counts = counts;
  accuracy.original = share_interval(counts.both + counts.first_only, counts.total());
  accuracy.quantized = share_interval(counts.both + counts.second_only, counts.total());
  accuracy.drop = difference_interval(counts);
  accuracy.p = mcnemar_p(counts);
  return accuracy;
}

std::string VerifyResult::verdict() const {
  if (passed) return "passed: the quantized model answers like the original";
  if (failures.empty()) return "cannot judge: " + not_judged;
  for (const StepResult& step : steps)
    if (!step.failures.empty()) {
      const std::size_t others = failures.size() - 1;
      return "failed: " + step.failures.front().line() + " (step " + step.name +
             (others == 0 ? ")" : "; and " + std::to_string(others) + " more)");
    }
  return "failed: " + failures.front();
}

std::string VerifyResult::run_text() const {
  const ModelOptions standard;
  std::string text;
  const auto add = [&](bool differs, const char* name, const char* value) {
    if (differs) text += (text.empty() ? "" : ", ") + std::string(name) + " " + value;
  };
  add(model.vision_math != standard.vision_math, "vision_math", float_math_name(model.vision_math));
  add(model.language_math != standard.language_math, "language_math", float_math_name(model.language_math));
  add(model.lm_head != standard.lm_head, "lm_head", head_weights_name(model.lm_head));
  add(cache_dtype != DType::f32, "kv_cache", dtype_name(cache_dtype));
  return text;
}

VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir, const VerifyOptions& options) {
  detail::require_positive("max_new_tokens", options.max_new_tokens, "at least 1 token must be compared");
  if (const DType cache = options.cache_dtype; cache != DType::f32 && cache != DType::bf16 && cache != DType::s8)
    throw Error(ErrorCode::invalid_argument,
                "verify: cache_dtype is " + std::string(dtype_name(cache)) + "; a cache holds f32, bf16 or s8");
  detail::require_directories(original_dir, quantized_dir);
  const Stopwatch watch;
  detail::Verification verification(original_dir, quantized_dir, options);
  detail::run_steps(verification);
  VerifyResult result = std::move(verification.result);
  if (verification.original) result.original_bytes = verification.original->checkpoint().total_bytes();
  if (verification.quantized) result.quantized_bytes = verification.quantized->checkpoint().total_bytes();
  result.thresholds = verification.profile.for_step("evaluation");
  result.profile = std::move(verification.profile);
  result.model = options.model;
  result.cache_dtype = options.cache_dtype;
  result.seconds = watch.seconds();
  return result;
}

}  // namespace octavo
