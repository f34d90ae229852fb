// Text: one forward, one token, sixteen without the cache, the same sixteen with it.
#include <algorithm>
#include <limits>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
namespace {

constexpr std::int64_t kShortAnswer = 16;

void expect_same_ids(Verification& verification, StepResult& step) {
  // By text, since the prepared prompts are the original's.
  const std::string text = "<|im_start|>user\nWhat colour is the 2nd \"small\" object?<|im_end|>\n";
  const auto a = verification.original->tokenizer().encode(text);
  const auto b = verification.quantized->tokenizer().encode(text);
  if (a == b) return;
  step.failures.push_back(
      {Expectation::same_input, "token ids of a prompt by both tokenizers", std::to_string(a.size()) + " equal ids",
       std::to_string(b.size()) + " ids, the first other one at " + std::to_string(identical_prefix(a, b))});
}

const Verification::Answers& uncached_answers(Verification& verification) {
  if (verification.uncached) return *verification.uncached;
  Verification::Answers answers;
  for (const ModelInput& prompt : text_prompts(verification)) {
    for (const bool quantized : {false, true}) {
      auto& of_model = quantized ? answers.quantized : answers.original;
      of_model.push_back(
          generate(verification, quantized, prompt, {.max_new_tokens = kShortAnswer, .use_cache = false}).tokens);
      verification.steps.advance();
    }
  }
  return verification.uncached.emplace(std::move(answers));
}

/// Feeds prompt and tokens through the cache, one at a time, up to where the two runs part.
RunDifference weigh_difference(Verification& verification, bool quantized, const ModelInput& prompt,
                               std::span<const std::int32_t> uncached, std::span<const std::int32_t> cached) {
  RunDifference evidence;
  evidence.model = side(quantized);
  evidence.token = identical_prefix(uncached, cached);
  const auto common = uncached.first(static_cast<std::size_t>(evidence.token));
  evidence.logit_difference = evidence.gap = std::numeric_limits<double>::quiet_NaN();
  // A pad that the model wrote itself cannot be fed again as text; nothing is excused then.
  if (std::any_of(common.begin(), common.end(), [&](std::int32_t id) { return is_pad(verification, id); }))
    return evidence;
  ModelInput whole = prompt;
  whole.ids.insert(whole.ids.end(), common.begin(), common.end());
  Session session = verification.session(quantized, static_cast<std::int64_t>(whole.ids.size()));
  Tensor by_cache = session.feed(prompt);
  for (const std::int32_t id : common) {
    ModelInput next;
    next.ids = {id};
    by_cache = session.feed(next);
  }
  const Tensor all = verification.model(quantized).forward(whole);
  const auto by_forward = all.select(0, all.dim(0) - 1).values<float>();
  return weigh(quantized, evidence.token, by_forward, by_cache.values<float>(), uncached, cached);
}

/// Tokens with the cache must be those without. The one excuse is measured, not assumed: at the token where they part,
/// cached and uncached logits agree within the bound, and the two tokens are closer than the logits have moved.
void expect_identical(Verification& verification, StepResult& step, bool quantized, const ModelInput& prompt,
                      const std::vector<std::int32_t>& uncached, const std::vector<std::int32_t>& cached) {
  if (uncached == cached || verification.evidence.cache) return;
  const auto at = static_cast<std::size_t>(identical_prefix(uncached, cached));
  const RunDifference evidence = weigh_difference(verification, quantized, prompt, uncached, cached);
  std::optional<double>& worst =
      quantized ? step.metrics.quantized_cache_difference : step.metrics.original_cache_difference;
  worst = std::max(worst.value_or(0), evidence.logit_difference);
  if (excused(step, quantized, evidence)) return;
  step.failures.push_back({Expectation::same_cached, std::string("tokens with the cache (") + side(quantized) + ")",
                           "those without it: " + ids_text(std::span(uncached).subspan(at)),
                           ids_text(std::span(cached).subspan(at)) + " from token " + std::to_string(at) + " on"});
  verification.evidence.cache = evidence;
}

/// Metrics of answers that exist already, both models reading the original's.
void compare_answers(Verification& verification, StepResult& step, const Verification::Answers& answers) {
  LogitComparison logits;
  const auto& prompts = text_prompts(verification);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    step.metrics.add_answers(answers.original[i], answers.quantized[i]);
    const ForcedRun run = forced_run(verification, prompts[i], answers.original[i]);
    logits.add(compare_rows(verification, step, run, run.first));
    expect_greedy(verification, step, run, false);
  }
  step.metrics.set_logits(logits);
}

}  // namespace

void step_text(Verification& verification, StepResult& step) {
  expect_same_ids(verification, step);
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(verification)) {
    verification.evidence.note(prompt, 0);  // should forward throw, this is what to probe with
    logits.add(compare_rows(verification, step, forced_run(verification, prompt, {}), 0));
  }
  step.metrics.prompts = static_cast<std::int64_t>(text_prompts(verification).size());
  step.metrics.set_logits(logits);
}

void step_one_token(Verification& verification, StepResult& step) {
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(verification)) {
    const GenerateResult a = generate(verification, false, prompt, {.max_new_tokens = 1});
    const GenerateResult b = generate(verification, true, prompt, {.max_new_tokens = 1});
    step.metrics.add_answers(a.tokens, b.tokens);
    ForcedRun run = forced_run(verification, prompt, a.tokens);
    logits.add(compare_rows(verification, step, run, run.first));
    expect_greedy(verification, step, run, false);
    run.targets = b.tokens;
    expect_greedy(verification, step, run, true);
  }
  step.metrics.set_logits(logits);
}

void step_uncached(Verification& verification, StepResult& step) {
  compare_answers(verification, step, uncached_answers(verification));
}

void step_cached(Verification& verification, StepResult& step) {
  const Verification::Answers& uncached = uncached_answers(verification);
  const auto& prompts = text_prompts(verification);
  Verification::Answers cached;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    for (const bool quantized : {false, true}) {
      auto& of_model = quantized ? cached.quantized : cached.original;
      of_model.push_back(generate(verification, quantized, prompts[i], {.max_new_tokens = kShortAnswer}).tokens);
      verification.steps.advance();
      expect_identical(verification, step, quantized, prompts[i],
                       quantized ? uncached.quantized[i] : uncached.original[i], of_model.back());
    }
  }
  compare_answers(verification, step, cached);
}

}  // namespace octavo::detail
