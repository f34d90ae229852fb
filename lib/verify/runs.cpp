// Runs of both models, and what their logits and tokens say.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace

void Evidence::note(const ModelInput& worst, double how_bad) {
  if (std::isnan(how_bad)) how_bad = std::numeric_limits<double>::infinity();
  if (how_bad <= badness) return;
  badness = how_bad;
  input = worst;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string ids_text(std::span<const std::int32_t> ids) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, ids.size()); ++i) text += (i == 0 ? "" : " ") + std::to_string(ids[i]);
  return ids.size() > kShown ? text + " ..." : text;
}

std::int64_t first_row_after_pictures(const Climb& climb, const ModelInput& input) {
  for (std::size_t i = input.ids.size(); i > 0; --i)
    if (is_pad(climb, input.ids[i - 1])) return static_cast<std::int64_t>(i);
  return 0;
}

namespace {

GenerateOptions job_of(const Climb& climb, const RunOptions& options) {
  GenerateOptions job;
  job.max_new_tokens = options.max_new_tokens;
  job.use_cache = options.use_cache;
  job.ignore_eos = options.ignore_eos;
  job.sampling = options.sampling.value_or(SamplingOptions{});
  job.cancel = climb.options.cancel;
  return job;
}

}  // namespace

// A progress callback that refuses stops the climb within a token.
GenerateResult generate(Climb& climb, bool quantized, const ModelInput& input, const RunOptions& options) {
  GenerateOptions job = job_of(climb, options);
  job.on_token = [&](std::int32_t, std::string_view) {
    climb.steps.advance(0);
    return true;
  };
  GenerateResult result = climb.model(quantized).generate(input, job);
  climb.steps.check_cancelled();
  return result;
}

std::vector<GenerateResult> generate(Climb& climb, bool quantized, std::span<const ModelInput> inputs,
                                     const RunOptions& options) {
  GenerateOptions job = job_of(climb, options);
  job.on_batch_token = [&](std::size_t, std::int32_t, std::string_view) {
    climb.steps.advance(0);
    return true;
  };
  std::vector<GenerateResult> results = climb.model(quantized).generate(inputs, job);
  climb.steps.check_cancelled();
  return results;
}

ForcedRun forced_run(Climb& climb, const ModelInput& prompt, std::span<const std::int32_t> answer,
                     HiddenStates* hidden) {
  ForcedRun run{force(*climb.original, prompt, answer), {}, {}};
  climb.steps.check_cancelled();
  run.original = climb.original->forward(run.input, hidden == nullptr ? nullptr : &hidden->original);
  climb.steps.advance();
  run.quantized = climb.quantized->forward(run.input, hidden == nullptr ? nullptr : &hidden->quantized);
  climb.steps.advance();
  return run;
}

LogitComparison compare_rows(Climb& climb, RungResult& rung, const ForcedRun& run, std::int64_t from) {
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
    const std::int64_t step = row - run.first;
    const bool has_target = step >= 0 && step < static_cast<std::int64_t>(run.targets.size());
    logits.add(a, b, has_target ? std::optional(run.targets[static_cast<std::size_t>(step)]) : std::nullopt);
  }
  for (const bool quantized : {false, true}) {
    if (broken[quantized ? 1 : 0] == 0) continue;
    const std::string what = std::string("logits (") + side(quantized) + ")";
    const bool known = std::any_of(rung.failures.begin(), rung.failures.end(),
                                   [&](const RungFailure& failure) { return failure.what == what; });
    if (!known)
      rung.failures.push_back({Expectation::finite, what, "finite at every position",
                               "NaN or infinity at " + std::to_string(broken[quantized ? 1 : 0]) + " of " +
                                   std::to_string(rows - from) + " positions"});
    climb.evidence.note(run.input, std::numeric_limits<double>::infinity());
  }
  climb.evidence.note(run.input, logits.mean_kl());
  return logits;
}

void set_logit_metrics(RungMetrics& metrics, const LogitComparison& logits) {
  metrics.positions = logits.positions;
  if (logits.positions == 0) return;
  metrics.logit_cosine = logits.mean_cosine();
  metrics.kl = logits.mean_kl();
  metrics.top1_agreement = logits.top1_agreement();
  metrics.top5_agreement = logits.top5_agreement();
  if (logits.targets == 0) return;
  metrics.original_perplexity = logits.original_perplexity();
  metrics.quantized_perplexity = logits.quantized_perplexity();
}

void add_answers(RungMetrics& metrics, std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const std::int64_t before = metrics.prompts.value_or(0);
  const double sum = metrics.token_agreement.value_or(0) * static_cast<double>(before) + prefix_agreement(a, b);
  metrics.prompts = before + 1;
  metrics.token_agreement = sum / static_cast<double>(before + 1);
  metrics.identical_prefix = metrics.identical_prefix.value_or(0) + identical_prefix(a, b);
  metrics.tokens = metrics.tokens.value_or(0) + static_cast<std::int64_t>(std::max(a.size(), b.size()));
}

void expect_greedy(Climb& climb, RungResult& rung, const ForcedRun& run, bool quantized) {
  const Tensor& logits = quantized ? run.quantized : run.original;
  for (std::size_t step = 0; step < run.targets.size(); ++step) {
    const auto row = row_of(logits, run.first + static_cast<std::int64_t>(step));
    const std::size_t best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    const auto taken = static_cast<std::size_t>(run.targets[step]);
    // Rows of one long forward and of many short ones differ by float rounding: a tie within it may fall either way.
    if (best == taken || !(row[best] - row[taken] > 1e-3F * std::abs(row[best]))) continue;
    rung.failures.push_back({Expectation::same_generation, std::string("greedy token (") + side(quantized) + ")",
                             std::to_string(best) + ", the most likely one by the forward pass",
                             std::to_string(taken) + " at step " + std::to_string(step)});
    climb.evidence.note(run.input, std::numeric_limits<double>::infinity());
    return;
  }
}

double relative_difference(std::span<const float> reference, std::span<const float> other) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double d = double{other[i]} - double{reference[i]};
    difference += d * d;
    size += double{reference[i]} * double{reference[i]};
  }
  if (difference == 0) return 0;
  return std::sqrt(difference / size);
}

RunDifference weigh(bool quantized, std::int64_t step, std::span<const float> reference, std::span<const float> other,
                    std::span<const std::int32_t> reference_tokens, std::span<const std::int32_t> other_tokens) {
  RunDifference found;
  found.model = side(quantized);
  found.step = step;
  found.logit_difference = relative_difference(reference, other);
  for (std::size_t i = 0; i < reference.size(); ++i)
    found.largest = std::max(found.largest, std::abs(double{reference[i]} - double{other[i]}));
  found.gap = std::numeric_limits<double>::quiet_NaN();
  const auto at = static_cast<std::size_t>(step);
  if (at < reference_tokens.size() && at < other_tokens.size())
    found.gap = double{reference[static_cast<std::size_t>(reference_tokens[at])]} -
                double{reference[static_cast<std::size_t>(other_tokens[at])]};
  return found;
}

bool is_tie(const RunDifference& difference, std::optional<double> bound) {
  return bound && difference.logit_difference <= *bound && difference.gap >= 0 &&
         difference.gap <= 2 * difference.largest;
}

bool excused(RungResult& rung, bool quantized, const RunDifference& difference) {
  if (!is_tie(difference, cache_bound(rung.thresholds, quantized))) return false;
  rung.note += (rung.note.empty() ? "" : "; ") + std::string(side(quantized)) + ": a tie at step " +
               std::to_string(difference.step) + ", " + number(difference.gap) +
               " apart where rounding moves logits by " + number(difference.largest);
  return true;
}

}  // namespace octavo::pipeline
