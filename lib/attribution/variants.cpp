#include "variants.hpp"

#include <algorithm>
#include <utility>

namespace octavo::detail {
namespace {

/// Rows first .. of the logits of prompt + answer, on their own.
Tensor answer_rows(const Model& model, const ForcedInput& forced) {
  const Tensor all = model.forward(forced.input);
  return all.slice(0, forced.first, all.dim(0)).clone();  // the prompt's rows are let go
}

}  // namespace

Reference::Reference(const Model& original, const std::vector<Sample>& samples, const AttributionOptions& options,
                     JobProgress& steps)
    : original_(original), options_(options), steps_(steps) {
  std::size_t kept = 0;
  for (const Sample& sample : samples) {
    steps_.stage("original: " + sample.id);
    Case one;
    one.sample = &sample;
    one.input = prepare_question(original, sample);
    require_room(sample, one.input,
                 original.max_position_embeddings() - static_cast<std::int64_t>(one.input.ids.size()));
    one.known = find_known(sample);
    one.answer =
        one.known != nullptr ? Answer{one.known->original_tokens, one.known->original} : answer_of(original, one.input);
    one.forced = force_answer(original, one.input, one.answer.tokens);
    Tensor rows = answer_rows(original, one.forced);
    if (kept + rows.size_bytes() <= kMaxLogitBytes) {
      kept += rows.size_bytes();
      one.logits = std::move(rows);
    }
    cases_.push_back(std::move(one));
    steps_.advance();
  }
}

const SampleResult* Reference::find_known(const Sample& sample) const {
  const auto found = std::find_if(options_.answers.begin(), options_.answers.end(), [&](const SampleResult& result) {
    return result.id == sample.id && result.prompt == sample.prompt && result.images == sample.images &&
           !result.original_tokens.empty();
  });
  return found == options_.answers.end() ? nullptr : &*found;
}

Reference::Answer Reference::answer_of(const Model& model, const ModelInput& input) const {
  GenerateOptions job;
  job.max_new_tokens = options_.max_new_tokens;
  job.sampling = SamplingOptions{};  // greedy, whatever generation_config.json says
  job.rules = GenerationRules{};
  job.cancel = options_.cancel;
  GenerateResult result = model.generate(input, job);
  steps_.check_cancelled();
  return {std::move(result.tokens), std::move(result.text)};
}

std::vector<ModelInput> Reference::inputs(std::int64_t limit) const {
  std::vector<ModelInput> inputs;
  for (const Case& one : cases_)
    if (static_cast<std::int64_t>(inputs.size()) < limit) inputs.push_back(one.forced.input);
  return inputs;
}

LogitComparison Reference::compare(const Case& one, const Model& variant) const {
  steps_.check_cancelled();
  const Tensor original = one.logits.defined() ? one.logits : answer_rows(original_, one.forced);
  const Tensor other = answer_rows(variant, one.forced);
  LogitComparison comparison;
  for (std::int64_t row = 0; row < original.dim(0); ++row) {
    const auto token = static_cast<std::size_t>(row);
    comparison.add(row_of(original, row), row_of(other, row),
                   token < one.forced.targets.size() ? std::optional(one.forced.targets[token]) : std::nullopt);
  }
  steps_.advance();
  return comparison;
}

StepMetrics Reference::logits(const Model& variant) const {
  LogitComparison all;
  for (const Case& one : cases_) all.add(compare(one, variant));
  StepMetrics metrics;
  metrics.prompts = size();
  metrics.set_logits(all);
  return metrics;
}

template <class AnswerOf>
StepMetrics Reference::score(const Model& variant, AnswerOf&& answer_of, std::vector<SampleResult>* results) const {
  LogitComparison all;
  StepMetrics metrics;
  std::int64_t scored = 0;
  std::int64_t original_right = 0;
  std::int64_t variant_right = 0;
  for (const Case& one : cases_) {
    const LogitComparison logits = compare(one, variant);
    all.add(logits);
    Answer answer = answer_of(one);
    metrics.add_answers(one.answer.tokens, answer.tokens);
    SampleResult result = score_sample(*one.sample, one.input, one.answer.text, std::move(answer.text), options_.boxes);
    result.token_agreement = prefix_agreement(one.answer.tokens, answer.tokens);
    result.kl = logits.mean_kl();
    if (!result.expected.empty()) {
      ++scored;
      original_right += result.original_right ? 1 : 0;
      variant_right += result.quantized_right ? 1 : 0;
    }
    if (results != nullptr) {
      result.original_tokens = one.answer.tokens;
      result.quantized_tokens = std::move(answer.tokens);
      results->push_back(std::move(result));
    }
  }
  metrics.set_logits(all);
  if (scored > 0) {
    metrics.original_accuracy = static_cast<double>(original_right) / static_cast<double>(scored);
    metrics.quantized_accuracy = static_cast<double>(variant_right) / static_cast<double>(scored);
  }
  return metrics;
}

StepMetrics Reference::answers(const Model& variant) const {
  return score(
      variant, [&](const Case& one) { return answer_of(variant, one.input); }, nullptr);
}

StepMetrics Reference::answers_of_quantized(const Model& quantized, std::vector<SampleResult>& results) const {
  const StepMetrics metrics = score(
      quantized,
      [&](const Case& one) {
        return one.known != nullptr ? Answer{one.known->quantized_tokens, one.known->quantized}
                                    : answer_of(quantized, one.input);
      },
      &results);
  std::stable_sort(results.begin(), results.end(),
                   [](const SampleResult& a, const SampleResult& b) { return badness(a.kl) > badness(b.kl); });
  return metrics;
}

}  // namespace octavo::detail
