// The rungs in their order, and the climb.
#include "ladder.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "ladder_names.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {
namespace pipeline {
namespace {

struct Rung {
  const char* name;
  const char* title;
  /// Steps of about one prompt's run each, for progress; text prompts and samples are known by then.
  std::int64_t (*steps)(std::int64_t prompts, std::int64_t samples);
  void (*climb)(Climb& climb, RungResult& rung);
};

// A new rung is one more line here.
constexpr std::array kRungs{
    Rung{"open", "open and check", [](std::int64_t, std::int64_t) -> std::int64_t { return 3; }, climb_open},
    Rung{"text", "one forward of text", [](std::int64_t p, std::int64_t) { return 2 * p; }, climb_text},
    Rung{"one_token", "one token", [](std::int64_t p, std::int64_t) { return 2 * p; }, climb_one_token},
    Rung{"uncached", "16 tokens without a cache", [](std::int64_t p, std::int64_t) { return 4 * p; }, climb_uncached},
    Rung{"cached", "16 tokens with a cache", [](std::int64_t p, std::int64_t) { return 4 * p; }, climb_cached},
    Rung{"image", "a picture", [](std::int64_t, std::int64_t) -> std::int64_t { return 8; }, climb_image},
    Rung{"images", "odd sizes, several pictures", [](std::int64_t, std::int64_t) -> std::int64_t { return 14; },
         climb_images},
    Rung{"long", "long generation", [](std::int64_t, std::int64_t) -> std::int64_t { return 4; }, climb_long},
    Rung{"second_turn", "second turn on the cache", [](std::int64_t, std::int64_t) -> std::int64_t { return 6; },
         climb_second_turn},
    Rung{"sampling", "sampling with a seed, twice", [](std::int64_t p, std::int64_t) { return 4 * p; }, climb_sampling},
    Rung{"batch", "several prompts as one batch", [](std::int64_t p, std::int64_t) { return 8 * (p + 2); },
         climb_batch},
    Rung{"evaluation", "the samples", [](std::int64_t, std::int64_t s) { return 4 * s; }, climb_evaluation}};

std::int64_t steps_of(const Climb& climb, const Rung& rung) {
  return rung.steps(climb.profile.prompts, static_cast<std::int64_t>(climb.samples.size()));
}

/// What a model does wrong fails the rung; what the caller did wrong, or a cancel, ends the climb.
void attempt(Climb& climb, const Rung& rung, RungResult& result) {
  climb.evidence = {};
  climb.steps.stage(rung.name);
  const Stopwatch watch;
  try {
    rung.climb(climb, result);
  } catch (const InputError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    result.failures.push_back({Expectation::runs, "a call that failed", "none", error.what()});
  }
  judge(result.thresholds, result);
  result.seconds = watch.seconds();
  if (!result.failures.empty())
    result.status = RungStatus::failed;
  else if (result.status == RungStatus::not_reached)
    result.status = RungStatus::passed;
}

void climb_all(Climb& climb) {
  VerifyResult& verdict = climb.result;
  std::int64_t total = 0;
  for (const Rung& rung : kRungs) {
    total += steps_of(climb, rung);
    RungResult result;
    result.name = rung.name;
    result.title = rung.title;
    result.thresholds = climb.profile.for_rung(rung.name);
    verdict.rungs.push_back(std::move(result));
  }
  climb.steps.set_total(total);
  std::int64_t behind = 0;
  for (std::size_t i = 0; i < kRungs.size(); ++i) {
    RungResult& result = verdict.rungs[i];
    attempt(climb, kRungs[i], result);
    behind += steps_of(climb, kRungs[i]);
    climb.steps.advance_to(behind);
    for (const RungFailure& failure : result.failures) verdict.failures.push_back(result.name + ": " + failure.line());
    if (result.status == RungStatus::failed && !verdict.diagnosis) verdict.diagnosis = diagnose(climb, result);
    if (climb.options.on_rung) climb.options.on_rung(result);
    const bool opened = climb.original && climb.quantized;
    if (result.status == RungStatus::failed && !(climb.options.run_all && opened)) break;
  }
  verdict.passed = verdict.failures.empty();
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
    return;  // the first rung says what is wrong with it
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

std::vector<std::string> rung_names() {
  std::vector<std::string> names;
  for (const Rung& rung : kRungs) names.emplace_back(rung.name);
  return names;
}

Climb::Climb(const std::string& original_directory, const std::string& quantized_directory, const VerifyOptions& given)
    : options(given),
      original_dir(original_directory),
      quantized_dir(quantized_directory),
      steps(given.progress, given.cancel, "verify", "no result"),
      profile(VerifyProfile::open(given.profile)) {
  profile.override_with(given.thresholds);
  if (!given.samples.empty()) samples = read_samples(given.samples, given.max_samples);
  require_images(samples);
}

}  // namespace pipeline

VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir, const VerifyOptions& options) {
  pipeline::require_positive("max_new_tokens", options.max_new_tokens, "at least 1 token must be compared");
  pipeline::require_directories(original_dir, quantized_dir);
  const pipeline::Stopwatch watch;
  pipeline::Climb climb(original_dir, quantized_dir, options);
  pipeline::climb_all(climb);
  VerifyResult result = std::move(climb.result);
  if (climb.original) result.original_bytes = climb.original->checkpoint().total_bytes();
  if (climb.quantized) result.quantized_bytes = climb.quantized->checkpoint().total_bytes();
  result.thresholds = climb.profile.for_rung("evaluation");
  result.profile = std::move(climb.profile);
  result.seconds = watch.seconds();
  return result;
}

}  // namespace octavo
