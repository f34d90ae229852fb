// Length and state: many tokens, a second turn on a filled cache, sampling with a seed.
#include <algorithm>
#include <array>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

constexpr std::int64_t kShortAnswer = 16;
constexpr std::uint64_t kSeed = 20240817;

ModelInput first_picture_prompt(Climb& climb, RungResult& rung) { return picture_prompts(climb, rung, 1).front(); }

/// What closes the first answer and asks again, as the chat template writes it.
std::vector<std::int32_t> next_turn(const Climb& climb) {
  const std::string question = climb.samples.empty() ? "Are you sure?" : climb.samples.back().prompt;
  return climb.original->tokenizer().encode("<|im_end|>\n<|im_start|>user\n" + question +
                                            "<|im_end|>\n<|im_start|>assistant\n");
}

/// The answer without the token that ended it and without pads of its own making.
std::vector<std::int32_t> words_of(const Climb& climb, const GenerateResult& answer) {
  std::vector<std::int32_t> words = answer.tokens;
  if (answer.finish_reason == FinishReason::stop && !words.empty()) words.pop_back();
  words.erase(std::find_if(words.begin(), words.end(), [&](std::int32_t id) { return is_pad(climb, id); }),
              words.end());
  return words;
}

}  // namespace

void climb_long(Climb& climb, RungResult& rung) {
  const ModelInput prompt = first_picture_prompt(climb, rung);
  const std::int64_t length = std::min(climb.profile.long_tokens, room(climb, prompt));
  if (length < 2) {
    rung.status = RungStatus::skipped;
    rung.note = "the prompt leaves no room in the context";
    return;
  }
  const RunOptions options{.max_new_tokens = length, .ignore_eos = true};
  climb.evidence.note(prompt, 0);
  const GenerateResult a = generate(climb, false, prompt, options);
  climb.steps.advance();
  const GenerateResult b = generate(climb, true, prompt, options);
  climb.steps.advance();
  add_answers(rung.metrics, a.tokens, b.tokens);
  ForcedRun run = forced_run(climb, prompt, a.tokens);
  const std::int64_t rows = run.original.dim(0);
  const std::int64_t middle = run.first + (rows - run.first) / 2;
  LogitComparison late = compare_rows(climb, rung, run, middle);
  ForcedRun beginning = run;
  beginning.original = run.original.slice(0, 0, middle);
  beginning.quantized = run.quantized.slice(0, 0, middle);
  LogitComparison logits = compare_rows(climb, rung, beginning, run.first);
  climb.evidence.measurements = {{"KL in the first half", "", logits.mean_kl()},
                                 {"KL in the second half", "", late.mean_kl()}};
  rung.metrics.further = climb.evidence.measurements;
  logits.add(late);
  set_logit_metrics(rung.metrics, logits);
  expect_greedy(climb, rung, run, false);
}

void climb_second_turn(Climb& climb, RungResult& rung) {
  const ModelInput first = first_picture_prompt(climb, rung);
  std::vector<std::int32_t> more =
      words_of(climb, generate(climb, false, first, {.max_new_tokens = std::min(kShortAnswer, room(climb, first))}));
  const std::vector<std::int32_t> turn = next_turn(climb);
  more.insert(more.end(), turn.begin(), turn.end());
  if (static_cast<std::int64_t>(more.size()) > room(climb, first)) {
    rung.status = RungStatus::skipped;
    rung.note = "two turns have " + std::to_string(first.ids.size() + more.size()) +
                " tokens, more than the context of " + std::to_string(climb.original->max_position_embeddings());
    return;
  }
  const ForcedRun whole = [&] {
    ModelInput conversation = first;
    conversation.ids.insert(conversation.ids.end(), more.begin(), more.end());
    climb.evidence.note(conversation, 0);
    return forced_run(climb, conversation, {});
  }();
  const auto turn_begins = static_cast<std::int64_t>(first.ids.size());
  set_logit_metrics(rung.metrics, compare_rows(climb, rung, whole, turn_begins));
  ModelInput second;
  second.ids = more;
  for (const bool quantized : {false, true}) {
    Session session(climb.model(quantized), static_cast<std::int64_t>(whole.input.ids.size()));
    session.feed(first);
    climb.steps.advance();
    const Tensor cached = session.feed(second);
    climb.steps.advance();
    const Tensor& logits = quantized ? whole.quantized : whole.original;
    const Tensor uncached = logits.select(0, logits.dim(0) - 1);
    const double difference = relative_difference(uncached.values<float>(), cached.values<float>());
    (quantized ? rung.metrics.quantized_cache_difference : rung.metrics.original_cache_difference) = difference;
    if (!climb.evidence.cache || difference > climb.evidence.cache->logit_difference)
      climb.evidence.cache = RunDifference{side(quantized), turn_begins, difference, 0, 0};
  }
}

void climb_sampling(Climb& climb, RungResult& rung) {
  SamplingOptions sampling;
  sampling.do_sample = true;
  sampling.top_k = 0;
  sampling.seed = kSeed;
  const RunOptions options{.max_new_tokens = kShortAnswer, .sampling = sampling};
  LogitComparison logits;
  for (const ModelInput& prompt : text_prompts(climb)) {
    std::array<std::vector<std::int32_t>, 2> answers;
    for (const bool quantized : {false, true}) {
      std::vector<std::int32_t>& tokens = answers[quantized ? 1 : 0];
      tokens = generate(climb, quantized, prompt, options).tokens;
      const std::vector<std::int32_t> again = generate(climb, quantized, prompt, options).tokens;
      climb.steps.advance();
      if (tokens == again) continue;
      const auto at = static_cast<std::size_t>(identical_prefix(tokens, again));
      rung.failures.push_back({Expectation::reproducible,
                               std::string("tokens of a second run with the same seed (") + side(quantized) + ")",
                               "those of the first: " + ids_text(std::span(tokens).subspan(at)),
                               ids_text(std::span(again).subspan(at)) + " from step " + std::to_string(at) + " on"});
    }
    add_answers(rung.metrics, answers[0], answers[1]);
    const ForcedRun run = forced_run(climb, prompt, answers[0]);
    logits.add(compare_rows(climb, rung, run, run.first));
  }
  set_logit_metrics(rung.metrics, logits);
}

}  // namespace octavo::pipeline
