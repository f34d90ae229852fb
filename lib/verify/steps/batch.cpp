// Several prompts in one batch: each must get what it gets alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

constexpr std::int64_t kShortAnswer = 16;
constexpr std::size_t kPictures = 2;

using Answers = std::vector<std::vector<std::int32_t>>;

/// A session for each prompt, with room for `more` tokens.
std::vector<Session> sessions_for(const Model& model, std::span<const ModelInput> prompts, std::int64_t more) {
  std::vector<Session> sessions;
  for (const ModelInput& prompt : prompts)
    sessions.emplace_back(model, static_cast<std::int64_t>(prompt.ids.size()) + more);
  return sessions;
}

/// Every prompt read in one call, against each read alone: the largest relative difference of the last logits.
double prompt_difference(Climb& climb, bool quantized, std::span<const ModelInput> prompts) {
  const Model& model = climb.model(quantized);
  std::vector<Session> together = sessions_for(model, prompts, 0);
  std::vector<Session> alone = sessions_for(model, prompts, 0);
  std::vector<Session*> batch;
  for (Session& session : together) batch.push_back(&session);
  const Tensor logits = Session::feed(batch, prompts);
  double largest = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    climb.steps.advance();
    const Tensor reference = alone[i].feed(prompts[i]);
    const double difference =
        relative_difference(reference.values<float>(), logits.select(0, static_cast<std::int64_t>(i)).values<float>());
    if (!std::isnan(largest) && !(difference <= largest)) largest = difference;
  }
  return largest;
}

/// Runs the batch again up to the step where sequence `which` parts from its run alone, and that run beside it.
RunDifference weigh_parting(Climb& climb, bool quantized, std::span<const ModelInput> prompts, const Answers& alone,
                            const Answers& together, std::size_t which) {
  const std::int64_t last = identical_prefix(alone[which], together[which]);
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  // A pad that a model wrote itself cannot be fed again as text; nothing is excused then.
  for (const std::vector<std::int32_t>& answer : together) {
    const auto fed = std::span(answer).first(std::min(answer.size(), static_cast<std::size_t>(last)));
    if (std::any_of(fed.begin(), fed.end(), [&](std::int32_t id) { return is_pad(climb, id); }))
      return {side(quantized), last, kUnknown, kUnknown, 0};
  }
  std::vector<Session> sessions = sessions_for(climb.model(quantized), prompts, last);
  Session single(climb.model(quantized), static_cast<std::int64_t>(prompts[which].ids.size()) + last);
  Tensor in_batch;
  Tensor by_itself;
  for (std::int64_t step = 0; step <= last; ++step) {
    std::vector<Session*> running;
    std::vector<ModelInput> inputs;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (static_cast<std::int64_t>(together[i].size()) <= step && i != which) continue;  // has left the batch
      if (i == which) row = static_cast<std::int64_t>(inputs.size());
      running.push_back(&sessions[i]);
      inputs.push_back(step == 0 ? prompts[i] : ModelInput{{together[i][static_cast<std::size_t>(step - 1)]}, {}});
    }
    by_itself = single.feed(inputs[static_cast<std::size_t>(row)]);
    in_batch = Session::feed(running, inputs).select(0, row);
    climb.steps.advance(0);
  }
  return weigh(quantized, last, by_itself.values<float>(), in_batch.values<float>(), alone[which], together[which]);
}

}  // namespace

void expect_same_alone(Climb& climb, RungResult& rung, bool quantized, std::span<const ModelInput> prompts,
                       const Answers& alone, const Answers& together) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (alone[i] == together[i]) continue;
    const RunDifference found = weigh_parting(climb, quantized, prompts, alone, together, i);
    if (excused(rung, quantized, found)) continue;
    const auto at = static_cast<std::size_t>(found.step);
    rung.failures.push_back(
        {Expectation::same_batched,
         "tokens of prompt " + std::to_string(i) + " in a batch of " + std::to_string(prompts.size()) + " (" +
             side(quantized) + ")",
         "those it gets alone: " + ids_text(std::span(alone[i]).subspan(at)),
         ids_text(std::span(together[i]).subspan(at)) + " from step " + std::to_string(at) + " on"});
    if (!climb.evidence.batch) climb.evidence.batch = found;
  }
}

void climb_batch(Climb& climb, RungResult& rung) {
  std::vector<ModelInput> prompts = text_prompts(climb);
  for (ModelInput& prompt : picture_prompts(climb, rung, kPictures)) prompts.push_back(std::move(prompt));
  const RunOptions options{.max_new_tokens = kShortAnswer};
  std::array<Answers, 2> batched;
  for (const bool quantized : {false, true}) {
    const double difference = prompt_difference(climb, quantized, prompts);
    rung.metrics.further.push_back({"logits in a batch against alone", side(quantized), difference});
    if (const auto bound = cache_bound(rung.thresholds, quantized); bound && !(difference <= *bound)) {
      rung.failures.push_back({Expectation::same_batched,
                               std::string("logits in a batch against alone (") + side(quantized) + ")",
                               "at most " + number(*bound), number(difference)});
      if (!climb.evidence.batch) climb.evidence.batch = RunDifference{side(quantized), 0, difference, 0, 0};
    }
    Answers alone;
    for (const ModelInput& prompt : prompts) {
      alone.push_back(generate(climb, quantized, prompt, options).tokens);
      climb.steps.advance();
    }
    Answers& together = batched[quantized ? 1 : 0];
    for (GenerateResult& result : generate(climb, quantized, prompts, options))
      together.push_back(std::move(result.tokens));
    climb.steps.advance(static_cast<std::int64_t>(prompts.size()));
    expect_same_alone(climb, rung, quantized, prompts, alone, together);
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) add_answers(rung.metrics, batched[0][i], batched[1][i]);
}

}  // namespace octavo::pipeline
