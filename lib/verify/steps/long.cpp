// Length and state: many tokens, a second turn on a filled cache, sampling with a seed.
#include <algorithm>
#include <array>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
namespace {

constexpr std::int64_t kShortAnswer = 16;
constexpr std::uint64_t kSeed = 20240817;

ModelInput first_picture_prompt(Verification& verification, StepResult& step) {
  if (!verification.original->takes_pictures()) return text_prompts(verification).front();
  return picture_prompts(verification, step, 1).front();
}

/// What closes the first answer and asks again, as the chat template writes it.
std::vector<std::int32_t> next_turn(const Verification& verification) {
  const std::string question = verification.samples.empty() ? "Are you sure?" : verification.samples.back().prompt;
  return verification.original->tokenizer().encode("<|im_end|>\n<|im_start|>user\n" + question +
                                                   "<|im_end|>\n<|im_start|>assistant\n");
}

/// The answer without the token that ended it and without pads of its own making.
std::vector<std::int32_t> words_of(const Verification& verification, const GenerateResult& answer) {
  std::vector<std::int32_t> words = answer.tokens;
  if (answer.finish_reason == FinishReason::stop && !words.empty()) words.pop_back();
  words.erase(std::find_if(words.begin(), words.end(), [&](std::int32_t id) { return is_pad(verification, id); }),
              words.end());
  return words;
}

}  // namespace

void step_long(Verification& verification, StepResult& step) {
  const ModelInput prompt = first_picture_prompt(verification, step);
  const std::int64_t length = std::min(verification.profile.long_tokens, room(verification, prompt));
  if (length < 2) {
    step.status = StepStatus::skipped;
    step.note = "the prompt leaves no room in the context";
    return;
  }
  const RunOptions options{.max_new_tokens = length, .ignore_eos = true};
  verification.evidence.note(prompt, 0);
  const GenerateResult a = generate(verification, false, prompt, options);
  verification.steps.advance();
  const GenerateResult b = generate(verification, true, prompt, options);
  verification.steps.advance();
  step.metrics.add_answers(a.tokens, b.tokens);
  ForcedRun run = forced_run(verification, prompt, a.tokens);
  const std::int64_t rows = run.original.dim(0);
  const std::int64_t middle = run.first + (rows - run.first) / 2;
  LogitComparison late = compare_rows(verification, step, run, middle);
  ForcedRun beginning = run;
  beginning.original = run.original.slice(0, 0, middle);
  beginning.quantized = run.quantized.slice(0, 0, middle);
  LogitComparison logits = compare_rows(verification, step, beginning, run.first);
  verification.evidence.measurements = {{"KL in the first half", "", logits.mean_kl()},
                                        {"KL in the second half", "", late.mean_kl()}};
  step.metrics.further = verification.evidence.measurements;
  logits.add(late);
  step.metrics.set_logits(logits);
  expect_greedy(verification, step, run, false);
}

void step_second_turn(Verification& verification, StepResult& step) {
  const ModelInput first = first_picture_prompt(verification, step);
  std::vector<std::int32_t> more = words_of(
      verification,
      generate(verification, false, first, {.max_new_tokens = std::min(kShortAnswer, room(verification, first))}));
  const std::vector<std::int32_t> turn = next_turn(verification);
  more.insert(more.end(), turn.begin(), turn.end());
  if (static_cast<std::int64_t>(more.size()) > room(verification, first)) {
    step.status = StepStatus::skipped;
    step.note = "two turns have " + std::to_string(first.ids.size() + more.size()) +
                " tokens, more than the context of " + std::to_string(verification.original->max_position_embeddings());
    return;
  }
  const ForcedRun whole = [&] {
    ModelInput conversation = first;
    conversation.ids.insert(conversation.ids.end(), more.begin(), more.end());
    verification.evidence.note(conversation, 0);
    return forced_run(verification, conversation, {});
  }();
  const auto turn_begins = static_cast<std::int64_t>(first.ids.size());
  step.metrics.set_logits(compare_rows(verification, step, whole, turn_begins));
  ModelInput second;
  second.ids = more;
  for (const bool quantized : {false, true}) {
    Session session = verification.session(quantized, static_cast<std::int64_t>(whole.input.ids.size()));
    session.feed(first);
    verification.steps.advance();
    const Tensor cached = session.feed(second);
    verification.steps.advance();
    // A cache of fewer bits rounds the rows of the forced run, too: what it costs shows against none.
    const bool rounds = verification.cache_dtype(quantized) != DType::f32;
    const Tensor logits = rounds      ? verification.model(quantized).forward(whole.input)
                          : quantized ? whole.quantized
                                      : whole.original;
    const Tensor uncached = logits.select(0, logits.dim(0) - 1);
    const double difference = relative_error(uncached.values<float>(), cached.values<float>());
    (quantized ? step.metrics.quantized_cache_difference : step.metrics.original_cache_difference) = difference;
    if (!verification.evidence.cache || difference > verification.evidence.cache->logit_difference)
      verification.evidence.cache = RunDifference{side(quantized), turn_begins, difference, 0, 0};
  }
}

void step_sampling(Verification& verification, StepResult& step) {
  SamplingOptions sampling;
  sampling.do_sample = true;
  sampling.top_k = 0;
  sampling.seed = kSeed;
  const RunOptions options{.max_new_tokens = kShortAnswer, .sampling = sampling};
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(verification)) {
    std::array<std::vector<std::int32_t>, 2> answers;
    for (const bool quantized : {false, true}) {
      std::vector<std::int32_t>& tokens = answers[quantized ? 1 : 0];
      tokens = generate(verification, quantized, prompt, options).tokens;
      const std::vector<std::int32_t> again = generate(verification, quantized, prompt, options).tokens;
      verification.steps.advance();
      if (tokens == again) continue;
      const auto at = static_cast<std::size_t>(identical_prefix(tokens, again));
      step.failures.push_back({Expectation::reproducible,
                               std::string("tokens of a second run with the same seed (") + side(quantized) + ")",
                               "those of the first: " + ids_text(std::span(tokens).subspan(at)),
                               ids_text(std::span(again).subspan(at)) + " from token " + std::to_string(at) + " on"});
    }
    step.metrics.add_answers(answers[0], answers[1]);
    const ForcedRun run = forced_run(verification, prompt, answers[0]);
    logits.add(compare_rows(verification, step, run, run.first));
  }
  step.metrics.set_logits(logits);
}

}  // namespace octavo::detail
