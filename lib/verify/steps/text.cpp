// Text: one forward, one token, sixteen without the cache, the same sixteen with it.
#include <algorithm>
#include <limits>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

constexpr std::int64_t kShortAnswer = 16;

void expect_same_ids(Climb& climb, RungResult& rung) {
  // By text, since the prepared prompts are the original's.
  const std::string text = "<|im_start|>user\nWhat colour is the 2nd \"small\" object?<|im_end|>\n";
  const auto a = climb.original->tokenizer().encode(text);
  const auto b = climb.quantized->tokenizer().encode(text);
  if (a == b) return;
  rung.failures.push_back(
      {Expectation::same_input, "token ids of a prompt by both tokenizers", std::to_string(a.size()) + " equal ids",
       std::to_string(b.size()) + " ids, the first other one at " + std::to_string(identical_prefix(a, b))});
}

const Climb::Answers& uncached_answers(Climb& climb) {
  if (climb.uncached) return *climb.uncached;
  Climb::Answers answers;
  for (const ModelInput& prompt : text_prompts(climb)) {
    for (const bool quantized : {false, true}) {
      auto& of_model = quantized ? answers.quantized : answers.original;
      of_model.push_back(
          generate(climb, quantized, prompt, {.max_new_tokens = kShortAnswer, .use_cache = false}).tokens);
      climb.steps.advance();
    }
  }
  return climb.uncached.emplace(std::move(answers));
}

/// Feeds prompt and tokens through the cache, one at a time, up to where the two runs part.
RunDifference weigh_difference(Climb& climb, bool quantized, const ModelInput& prompt,
                               std::span<const std::int32_t> uncached, std::span<const std::int32_t> cached) {
  RunDifference evidence;
  evidence.model = side(quantized);
  evidence.step = identical_prefix(uncached, cached);
  const auto common = uncached.first(static_cast<std::size_t>(evidence.step));
  evidence.logit_difference = evidence.gap = std::numeric_limits<double>::quiet_NaN();
  // A pad that the model wrote itself cannot be fed again as text; nothing is excused then.
  if (std::any_of(common.begin(), common.end(), [&](std::int32_t id) { return is_pad(climb, id); })) return evidence;
  ModelInput whole = prompt;
  whole.ids.insert(whole.ids.end(), common.begin(), common.end());
  Session session(climb.model(quantized), static_cast<std::int64_t>(whole.ids.size()));
  Tensor by_cache = session.feed(prompt);
  for (const std::int32_t id : common) {
    ModelInput next;
    next.ids = {id};
    by_cache = session.feed(next);
  }
  const Tensor all = climb.model(quantized).forward(whole);
  const auto by_forward = all.select(0, all.dim(0) - 1).values<float>();
  return weigh(quantized, evidence.step, by_forward, by_cache.values<float>(), uncached, cached);
}

/// Tokens with the cache must be those without. The one excuse is measured, not assumed: at the step where they part,
/// cached and uncached logits agree within the bound, and the two tokens are closer than the logits have moved.
void expect_identical(Climb& climb, RungResult& rung, bool quantized, const ModelInput& prompt,
                      const std::vector<std::int32_t>& uncached, const std::vector<std::int32_t>& cached) {
  if (uncached == cached || climb.evidence.cache) return;
  const auto at = static_cast<std::size_t>(identical_prefix(uncached, cached));
  const RunDifference evidence = weigh_difference(climb, quantized, prompt, uncached, cached);
  std::optional<double>& worst =
      quantized ? rung.metrics.quantized_cache_difference : rung.metrics.original_cache_difference;
  worst = std::max(worst.value_or(0), evidence.logit_difference);
  if (excused(rung, quantized, evidence)) return;
  rung.failures.push_back({Expectation::same_cached, std::string("tokens with the cache (") + side(quantized) + ")",
                           "those without it: " + ids_text(std::span(uncached).subspan(at)),
                           ids_text(std::span(cached).subspan(at)) + " from step " + std::to_string(at) + " on"});
  climb.evidence.cache = evidence;
}

/// Metrics of answers that exist already, both models reading the original's.
void compare_answers(Climb& climb, RungResult& rung, const Climb::Answers& answers) {
  LogitComparison logits;
  const auto& prompts = text_prompts(climb);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    add_answers(rung.metrics, answers.original[i], answers.quantized[i]);
    const ForcedRun run = forced_run(climb, prompts[i], answers.original[i]);
    logits.add(compare_rows(climb, rung, run, run.first));
    expect_greedy(climb, rung, run, false);
  }
  set_logit_metrics(rung.metrics, logits);
}

}  // namespace

void climb_text(Climb& climb, RungResult& rung) {
  expect_same_ids(climb, rung);
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(climb)) {
    climb.evidence.note(prompt, 0);  // should forward throw, this is what to probe with
    logits.add(compare_rows(climb, rung, forced_run(climb, prompt, {}), 0));
  }
  rung.metrics.prompts = static_cast<std::int64_t>(text_prompts(climb).size());
  set_logit_metrics(rung.metrics, logits);
}

void climb_one_token(Climb& climb, RungResult& rung) {
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(climb)) {
    const GenerateResult a = generate(climb, false, prompt, {.max_new_tokens = 1});
    const GenerateResult b = generate(climb, true, prompt, {.max_new_tokens = 1});
    add_answers(rung.metrics, a.tokens, b.tokens);
    ForcedRun run = forced_run(climb, prompt, a.tokens);
    logits.add(compare_rows(climb, rung, run, run.first));
    expect_greedy(climb, rung, run, false);
    run.targets = b.tokens;
    expect_greedy(climb, rung, run, true);
  }
  set_logit_metrics(rung.metrics, logits);
}

void climb_uncached(Climb& climb, RungResult& rung) { compare_answers(climb, rung, uncached_answers(climb)); }

void climb_cached(Climb& climb, RungResult& rung) {
  const Climb::Answers& uncached = uncached_answers(climb);
  const auto& prompts = text_prompts(climb);
  Climb::Answers cached;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    for (const bool quantized : {false, true}) {
      auto& of_model = quantized ? cached.quantized : cached.original;
      of_model.push_back(generate(climb, quantized, prompts[i], {.max_new_tokens = kShortAnswer}).tokens);
      climb.steps.advance();
      expect_identical(climb, rung, quantized, prompts[i], quantized ? uncached.quantized[i] : uncached.original[i],
                       of_model.back());
    }
  }
  compare_answers(climb, rung, cached);
}

}  // namespace octavo::pipeline
