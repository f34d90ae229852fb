// Runs of both models, and what their logits and tokens say.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
void Evidence::note(const ModelInput& worst, double how_bad) {
  if (std::isnan(how_bad)) how_bad = std::numeric_limits<double>::infinity();
  if (how_bad <= badness) return;
  badness = how_bad;
  input = worst;
}

std::string ids_text(std::span<const std::int32_t> ids) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, ids.size()); ++i) text += (i == 0 ? "" : " ") + std::to_string(ids[i]);
  return ids.size() > kShown ? text + " ..." : text;
}

std::int64_t first_row_after_pictures(const Verification& verification, const ModelInput& input) {
  for (std::size_t i = input.ids.size(); i > 0; --i)
    if (is_pad(verification, input.ids[i - 1])) return static_cast<std::int64_t>(i);
  return 0;
}

namespace {

GenerateOptions job_of(const Verification& verification, bool quantized, const RunOptions& options) {
  GenerateOptions job;
  job.max_new_tokens = options.max_new_tokens;
  job.use_cache = options.use_cache;
  job.cache_dtype = verification.cache_dtype(quantized);
  job.ignore_eos = options.ignore_eos;
  job.sampling = options.sampling.value_or(SamplingOptions{});  // what is compared is the models, not their
  job.rules = GenerationRules{};                                // generation_config.json
  job.cancel = verification.options.cancel;
  return job;
}

}  // namespace

// A progress callback that refuses stops the verification within a token.
GenerateResult generate(Verification& verification, bool quantized, const ModelInput& input,
                        const RunOptions& options) {
  GenerateOptions job = job_of(verification, quantized, options);
  job.on_token = [&](std::int32_t, std::string_view) {
    verification.steps.advance(0);
    return true;
  };
  GenerateResult result = verification.model(quantized).generate(input, job);
  verification.steps.check_cancelled();
  return result;
}

std::vector<GenerateResult> generate(Verification& verification, bool quantized, std::span<const ModelInput> inputs,
                                     const RunOptions& options) {
  GenerateOptions job = job_of(verification, quantized, options);
  job.on_event = [&](const TokenEvent&) {
    verification.steps.advance(0);
    return true;
  };
  std::vector<GenerateResult> results = verification.model(quantized).generate(inputs, job);
  verification.steps.check_cancelled();
  return results;
}

ForcedRun forced_run(Verification& verification, const ModelInput& prompt, std::span<const std::int32_t> answer,
                     HiddenStates* hidden) {
  ForcedRun run{force_answer(*verification.original, prompt, answer), {}, {}};
  verification.steps.check_cancelled();
  run.original = verification.original->forward(run.input, hidden == nullptr ? nullptr : &hidden->original);
  verification.steps.advance();
  const DType cache = verification.cache_dtype(true);
  run.quantized = verification.quantized->forward(run.input, hidden == nullptr ? nullptr : &hidden->quantized,
                                                  cache == DType::f32 ? std::nullopt : std::optional(cache));
  verification.steps.advance();
  return run;
}

LogitComparison compare_rows(Verification& verification, StepResult& step, const ForcedRun& run, std::int64_t from) {
  LogitComparison logits;
  std::array<std::int64_t, 2> broken{};
  const std::int64_t rows = run.original.dim(0);
  for (std::int64_t row = from; row < rows; ++row) {
    const auto a = row_of(run.original, row);
    const auto b = row_of(run.quantized, row);
    const bool finite_a = all_finite(a);
    const bool finite_b = all_finite(b);
    broken[0] += finite_a ? 0 : 1;
    broken[1] += finite_b ? 0 : 1;
    if (!finite_a || !finite_b) continue;
    const std::int64_t token = row - run.first;
    const bool has_target = token >= 0 && token < static_cast<std::int64_t>(run.targets.size());
    logits.add(a, b, has_target ? std::optional(run.targets[static_cast<std::size_t>(token)]) : std::nullopt);
  }
  for (const bool quantized : {false, true}) {
    if (broken[quantized ? 1 : 0] == 0) continue;
    const std::string what = std::string("logits (") + side(quantized) + ")";
    const bool known = std::any_of(step.failures.begin(), step.failures.end(),
                                   [&](const StepFailure& failure) { return failure.what == what; });
    if (!known)
      step.failures.push_back({Expectation::finite, what, "finite at every position",
                               "NaN or infinity at " + std::to_string(broken[quantized ? 1 : 0]) + " of " +
                                   std::to_string(rows - from) + " positions"});
    verification.evidence.note(run.input, std::numeric_limits<double>::infinity());
  }
  verification.evidence.note(run.input, logits.mean_kl());
  return logits;
}

void expect_greedy(Verification& verification, StepResult& step, const ForcedRun& run, bool quantized) {
  const Tensor& logits = quantized ? run.quantized : run.original;
  for (std::size_t token = 0; token < run.targets.size(); ++token) {
    const auto row = row_of(logits, run.first + static_cast<std::int64_t>(token));
    const std::size_t best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    const auto taken = static_cast<std::size_t>(run.targets[token]);
    // Rows of one long forward and of many short ones differ by float rounding: a tie within it may fall either way.
    if (best == taken || !(row[best] - row[taken] > 1e-3F * std::abs(row[best]))) continue;
    step.failures.push_back({Expectation::same_generation, std::string("greedy token (") + side(quantized) + ")",
                             std::to_string(best) + ", the most likely one by the forward pass",
                             std::to_string(taken) + " at token " + std::to_string(token)});
    verification.evidence.note(run.input, std::numeric_limits<double>::infinity());
    return;
  }
}

RunDifference weigh(bool quantized, std::int64_t token, std::span<const float> reference, std::span<const float> other,
                    std::span<const std::int32_t> reference_tokens, std::span<const std::int32_t> other_tokens) {
  RunDifference found;
  found.model = side(quantized);
  found.token = token;
  found.logit_difference = relative_error(reference, other);
  for (std::size_t i = 0; i < reference.size(); ++i)
    found.largest = std::max(found.largest, std::abs(double{reference[i]} - double{other[i]}));
  found.gap = std::numeric_limits<double>::quiet_NaN();
  const auto at = static_cast<std::size_t>(token);
  if (at < reference_tokens.size() && at < other_tokens.size())
    found.gap = double{reference[static_cast<std::size_t>(reference_tokens[at])]} -
                double{reference[static_cast<std::size_t>(other_tokens[at])]};
  return found;
}

bool is_tie(const RunDifference& difference, std::optional<double> bound) {
  return bound && difference.logit_difference <= *bound && difference.gap >= 0 &&
         difference.gap <= 2 * difference.largest;
}

bool excused(StepResult& step, bool quantized, const RunDifference& difference) {
  if (!is_tie(difference, cache_bound(step.thresholds, quantized))) return false;
  step.note += (step.note.empty() ? "" : "; ") + std::string(side(quantized)) + ": a tie at token " +
               std::to_string(difference.token) + ", " + number_text(difference.gap) +
               " apart where rounding moves logits by " + number_text(difference.largest);
  return true;
}

}  // namespace octavo::detail
