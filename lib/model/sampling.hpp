// One draw per step, reproducible from the seed on every platform.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "octavo/output_form.hpp"
#include "octavo/sampling.hpp"
#include "sampling_filters.hpp"
#include "token_rules.hpp"

namespace octavo::model {

/// Refuses options out of their domain; called once per generation.
void check_sampling(const SamplingOptions& options);

/// Refuses what a caller set to no effect: numbers of a draw, with do_sample off.
void refuse_unused(const SamplingOptions& options);

class Sampler {
 public:
  /// `form` has the last word on what may be chosen.
  Sampler(const SamplingOptions& options, TokenRules rules, std::optional<FormState> form = std::nullopt);
  /// What the next step draws from, best first; one id where it is greedy.
  std::vector<TokenProbability> choices(std::span<const float> logits, std::span<const std::int32_t> history) const;
  std::int32_t next(std::span<const float> logits, std::span<const std::int32_t> history);
  /// Whether the largest logit is the next token, but for what the repetition penalty makes of the history's.
  bool largest_decides() const noexcept;
  bool penalises() const noexcept { return options_.repetition_penalty != 1.0; }
  /// Whether the answer has its form and nothing may follow.
  bool exhausted() const noexcept { return form_ && form_->exhausted(); }

 private:
  std::int32_t draw(std::span<const float> logits, std::span<const std::int32_t> history);
  Choices draw_from(std::span<const float> logits, std::span<const std::int32_t> history) const;

  SamplingOptions options_;
  TokenRules rules_;
  std::optional<FormState> form_;
  std::mt19937_64 random_;  // its output is fixed by the standard, unlike that of the distributions
};

}  // namespace octavo::model
