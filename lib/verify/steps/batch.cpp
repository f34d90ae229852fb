// Several prompts in one batch: each must get what it gets alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
namespace {

constexpr std::int64_t kShortAnswer = 16;
constexpr std::size_t kPictures = 2;

using Answers = std::vector<std::vector<std::int32_t>>;

/// A session for each prompt, with room for `more` tokens.
std::vector<Session> sessions_for(const Verification& verification, bool quantized, std::span<const ModelInput> prompts,
                                  std::int64_t more) {
  std::vector<Session> sessions;
  for (const ModelInput& prompt : prompts)
    sessions.push_back(verification.session(quantized, static_cast<std::int64_t>(prompt.ids.size()) + more));
  return sessions;
}

/// Every prompt read in one call, against each read alone: the largest relative difference of the last logits.
double prompt_difference(Verification& verification, bool quantized, std::span<const ModelInput> prompts) {
  std::vector<Session> together = sessions_for(verification, quantized, prompts, 0);
  std::vector<Session> alone = sessions_for(verification, quantized, prompts, 0);
  std::vector<Session*> batch;
  for (Session& session : together) batch.push_back(&session);
  const Tensor logits = Session::feed(batch, prompts);
  double largest = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    verification.steps.advance();
    const Tensor reference = alone[i].feed(prompts[i]);
    const double difference =
        relative_error(reference.values<float>(), logits.select(0, static_cast<std::int64_t>(i)).values<float>());
    if (!std::isnan(largest) && !(difference <= largest)) largest = difference;
  }
  return largest;
}

/// Runs the batch again up to the token where sequence `which` parts from its run alone, and that run beside it.
RunDifference weigh_parting(Verification& verification, bool quantized, std::span<const ModelInput> prompts,
                            const Answers& alone, const Answers& together, std::size_t which) {
  const std::int64_t last = identical_prefix(alone[which], together[which]);
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  // A pad that a model wrote itself cannot be fed again as text; nothing is excused then.
  for (const std::vector<std::int32_t>& answer : together) {
    const auto fed = std::span(answer).first(std::min(answer.size(), static_cast<std::size_t>(last)));
    if (std::any_of(fed.begin(), fed.end(), [&](std::int32_t id) { return is_pad(verification, id); }))
      return {side(quantized), last, kUnknown, kUnknown, 0};
  }
  std::vector<Session> sessions = sessions_for(verification, quantized, prompts, last);
  Session single = verification.session(quantized, static_cast<std::int64_t>(prompts[which].ids.size()) + last);
  Tensor in_batch;
  Tensor by_itself;
  for (std::int64_t token = 0; token <= last; ++token) {
    std::vector<Session*> running;
    std::vector<ModelInput> inputs;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (static_cast<std::int64_t>(together[i].size()) <= token && i != which) continue;  // has left the batch
      if (i == which) row = static_cast<std::int64_t>(inputs.size());
      running.push_back(&sessions[i]);
      inputs.push_back(token == 0 ? prompts[i] : ModelInput{{together[i][static_cast<std::size_t>(token - 1)]}, {}});
    }
    by_itself = single.feed(inputs[static_cast<std::size_t>(row)]);
    in_batch = Session::feed(running, inputs).select(0, row);
    verification.steps.advance(0);
  }
  return weigh(quantized, last, by_itself.values<float>(), in_batch.values<float>(), alone[which], together[which]);
}

}  // namespace

void expect_same_alone(Verification& verification, StepResult& step, bool quantized,
                       std::span<const ModelInput> prompts, const Answers& alone, const Answers& together) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (alone[i] == together[i]) continue;
    const RunDifference found = weigh_parting(verification, quantized, prompts, alone, together, i);
    if (excused(step, quantized, found)) continue;
    const auto at = static_cast<std::size_t>(found.token);
    step.failures.push_back(
        {Expectation::same_batched,
         "tokens of prompt " + std::to_string(i) + " in a batch of " + std::to_string(prompts.size()) + " (" +
             side(quantized) + ")",
         "those it gets alone: " + ids_text(std::span(alone[i]).subspan(at)),
         ids_text(std::span(together[i]).subspan(at)) + " from token " + std::to_string(at) + " on"});
    if (!verification.evidence.batch) verification.evidence.batch = found;
  }
}

void step_batch(Verification& verification, StepResult& step) {
  std::vector<ModelInput> prompts = text_prompts(verification);
  for (ModelInput& prompt : picture_prompts(verification, step, kPictures)) prompts.push_back(std::move(prompt));
  const RunOptions options{.max_new_tokens = kShortAnswer};
  std::array<Answers, 2> batched;
  for (const bool quantized : {false, true}) {
    const double difference = prompt_difference(verification, quantized, prompts);
    step.metrics.further.push_back({"logits in a batch against alone", side(quantized), difference});
    if (const auto bound = cache_bound(step.thresholds, quantized); bound && !(difference <= *bound)) {
      step.failures.push_back({Expectation::same_batched,
                               std::string("logits in a batch against alone (") + side(quantized) + ")",
                               "at most " + number_text(*bound), number_text(difference)});
      if (!verification.evidence.batch)
        verification.evidence.batch = RunDifference{side(quantized), 0, difference, 0, 0};
    }
    Answers alone;
    for (const ModelInput& prompt : prompts) {
      alone.push_back(generate(verification, quantized, prompt, options).tokens);
      verification.steps.advance();
    }
    Answers& together = batched[quantized ? 1 : 0];
    for (GenerateResult& result : generate(verification, quantized, prompts, options))
      together.push_back(std::move(result.tokens));
    verification.steps.advance(static_cast<std::int64_t>(prompts.size()));
    expect_same_alone(verification, step, quantized, prompts, alone, together);
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) step.metrics.add_answers(batched[0][i], batched[1][i]);
}

}  // namespace octavo::detail
