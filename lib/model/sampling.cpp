#include "sampling.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "octavo/error.hpp"
#include "octavo/file_sampling.hpp"
#include "sampling_filters.hpp"

namespace octavo {
namespace model {
namespace {

bool is_greedy(const SamplingOptions& options) { return !options.do_sample || options.temperature == 0.0; }

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "sampling: " + what); }

/// The repetition penalty: each distinct id once, whichever side of zero it is on. Keskar et al. 2019, 4.1.
void penalise(std::span<float> scores, std::span<const std::int32_t> history, double penalty) {
  if (penalty == 1.0) return;
  const auto factor = static_cast<float>(penalty);
  detail::PooledVector<bool> seen(scores.size(), false);
  for (const std::int32_t id : history) {
    const auto index = static_cast<std::size_t>(id);
    if (id < 0 || index >= scores.size() || seen[index]) continue;
    seen[index] = true;
    scores[index] = scores[index] < 0 ? scores[index] * factor : scores[index] / factor;
  }
}

/// The first index on ties. -infinity is a score that is never chosen; NaN is none.
std::size_t best_index(std::span<const float> scores) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) throw Error(ErrorCode::not_finite, "sampling: logit " + std::to_string(i) + " is NaN");
    if (scores[i] > scores[best]) best = i;
  }
  if (scores.empty() || !std::isfinite(scores[best]))
    throw Error(ErrorCode::not_finite,
                "sampling: the largest of the " + std::to_string(scores.size()) + " logits is not finite");
  return best;
}

/// What a draw from these scores draws from.
Choices distribution(std::span<const float> scores, const SamplingOptions& options) {
  const std::size_t best = best_index(scores);
  Choices choices;
  if (is_greedy(options)) {
    choices.push_back({static_cast<std::int32_t>(best), 1.0});
    return choices;
  }

  float threshold = -INFINITY;
  if (options.top_k > 0 && options.top_k < static_cast<std::int64_t>(scores.size())) {
    detail::PooledVector<float> ranked(scores.begin(), scores.end());
    const auto kth = ranked.begin() + (options.top_k - 1);
    std::nth_element(ranked.begin(), kth, ranked.end(), std::greater<>());
    threshold = *kth;
  }
  double total = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] < threshold || scores[i] == -INFINITY) continue;
    // The maximum goes first: scores / 1e-6 would leave nothing of a float's digits.
    const double weight =
        std::exp((static_cast<double>(scores[i]) - static_cast<double>(scores[best])) / options.temperature);
    choices.push_back({static_cast<std::int32_t>(i), weight});
    total += weight;
  }
  for (TokenProbability& choice : choices) choice.probability /= total;
  std::sort(choices.begin(), choices.end(), [](const TokenProbability& a, const TokenProbability& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  filter_choices(choices, options);
  return choices;
}

}  // namespace

void check_sampling(const SamplingOptions& options) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    refuse("temperature is " + std::to_string(options.temperature) + ", it must be 0 (greedy) or positive");
  }
  if (options.top_k < 0) refuse("top_k is " + std::to_string(options.top_k) + ", it must be 0 (off) or positive");
  if (!(options.top_p >= 0 && options.top_p <= 1)) {
    refuse("top_p is " + std::to_string(options.top_p) + ", it must lie in [0, 1]");
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    refuse("min_p is " + std::to_string(options.min_p) + ", it must lie in [0, 1]");
  }
  if (!(options.typical_p > 0)) refuse("typical_p is " + std::to_string(options.typical_p) + ", it must be positive");
  if (!(options.repetition_penalty > 0) || !std::isfinite(options.repetition_penalty)) {
    refuse("repetition_penalty is " + std::to_string(options.repetition_penalty) + ", it must be positive");
  }
}

void refuse_unused(const SamplingOptions& options) {
  if (options.do_sample) return;
  const SamplingOptions usual;
  const auto refuse_other = [](const char* name, double value, double none) {
    if (value != none && value != 0)
      refuse(std::string(name) + " is " + std::to_string(value) +
             ", and nothing is sampled: set do_sample (--sample, OCTAVO_SAMPLING_ON), or leave it out");
  };
  refuse_other("temperature", options.temperature, usual.temperature);
  refuse_other("top_k", static_cast<double>(options.top_k), static_cast<double>(usual.top_k));
  refuse_other("top_p", options.top_p, usual.top_p);
  refuse_other("min_p", options.min_p, usual.min_p);
  refuse_other("typical_p", options.typical_p, usual.typical_p);
  refuse_other("epsilon_cutoff", options.epsilon_cutoff, usual.epsilon_cutoff);
  refuse_other("eta_cutoff", options.eta_cutoff, usual.eta_cutoff);
}

Sampler::Sampler(const SamplingOptions& options, TokenRules rules, std::optional<FormState> form)
    : options_(options), rules_(std::move(rules)), form_(std::move(form)), random_(options.seed) {
  check_sampling(options);
}

bool Sampler::largest_decides() const noexcept { return is_greedy(options_) && rules_.none() && !form_; }

std::vector<TokenProbability> Sampler::choices(std::span<const float> logits,
                                               std::span<const std::int32_t> history) const {
  const Choices drawn_from = draw_from(logits, history);
  return {drawn_from.begin(), drawn_from.end()};
}

Choices Sampler::draw_from(std::span<const float> logits, std::span<const std::int32_t> history) const {
  detail::PooledVector<float> scores(logits.begin(), logits.end());
  rules_.before_penalty(scores, history);
  penalise(scores, history, options_.repetition_penalty);
  rules_.after_penalty(scores, history);
  if (form_) form_->mask(scores);
  if (std::all_of(scores.begin(), scores.end(), [](float score) { return score == -INFINITY; }))
    throw Error(
        ErrorCode::invalid_argument,
        form_ ? "sampling: the rules of generation_config.json, logit_bias and on_logits leave no token to choose "
                "that goes on with the form"
              : "sampling: the rules of generation_config.json, logit_bias and on_logits leave no token to choose");
  return distribution(scores, options_);
}

std::int32_t Sampler::next(std::span<const float> logits, std::span<const std::int32_t> history) {
  const std::int32_t id = draw(logits, history);
  if (form_) form_->take(id);
  return id;
}

std::int32_t Sampler::draw(std::span<const float> logits, std::span<const std::int32_t> history) {
  const Choices drawn_from = draw_from(logits, history);
  if (is_greedy(options_)) return drawn_from.front().id;
  const double point = static_cast<double>(random_() >> 11U) * 0x1.0p-53;  // uniform in [0, 1)
  double reached = 0;
  for (const TokenProbability& choice : drawn_from) {
    reached += choice.probability;
    if (point < reached) return choice.id;
  }
  return drawn_from.back().id;  // the sum may fall short of 1 by rounding
}

}  // namespace model

SamplingOptions sampling_of(const GenerationConfig& file) {
  SamplingOptions sampling;
  sampling.repetition_penalty = file.repetition_penalty;
  if (!file.do_sample) return sampling;
  sampling.do_sample = true;
  sampling.temperature = file.temperature;
  sampling.top_k = file.top_k;
  sampling.top_p = file.top_p;
  sampling.min_p = file.min_p;
  sampling.typical_p = file.typical_p;
  sampling.epsilon_cutoff = file.epsilon_cutoff;
  sampling.eta_cutoff = file.eta_cutoff;
  return sampling;
}

TokenSampler::TokenSampler(const SamplingOptions& options)
    : sampler_(std::make_unique<model::Sampler>(options, model::TokenRules())) {}
TokenSampler::~TokenSampler() = default;
TokenSampler::TokenSampler(TokenSampler&& other) noexcept = default;
TokenSampler& TokenSampler::operator=(TokenSampler&& other) noexcept = default;

std::int32_t TokenSampler::next(std::span<const float> logits, std::span<const std::int32_t> history) {
  return sampler_->next(logits, history);
}

std::vector<TokenProbability> sampling_distribution(std::span<const float> logits,
                                                    std::span<const std::int32_t> history,
                                                    const SamplingOptions& options) {
  model::check_sampling(options);
  std::vector<float> scores(logits.begin(), logits.end());
  model::penalise(scores, history, options.repetition_penalty);
  const model::Choices choices = model::distribution(scores, options);
  return {choices.begin(), choices.end()};
}

}  // namespace octavo
