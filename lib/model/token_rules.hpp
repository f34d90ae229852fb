// GenerationRules at work on one answer: which scores they change at each step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "octavo/generation_config.hpp"

namespace octavo::model {

class TokenRules {
 public:
  TokenRules() = default;  ///< none
  /// `ends`: the tokens that end the answer; `limit`: new tokens at most. Refuses ids outside the vocabulary where a
  /// score would be changed by a number.
  TokenRules(GenerationRules rules, std::vector<std::int32_t> ends, std::size_t prompt_tokens, std::int64_t limit,
             std::int64_t vocab_size);

  /// Whether no score is changed.
  bool none() const noexcept;

  /// The repetition penalty stands between the two in the order of transformers' processors. `history` is prompt and
  /// answer so far.
  void before_penalty(std::span<float> scores, std::span<const std::int32_t> history) const;
  void after_penalty(std::span<float> scores, std::span<const std::int32_t> history) const;

 private:
  void forbid_repeats(std::span<float> scores, std::span<const std::int32_t> said,
                      std::span<const std::int32_t> history, std::int64_t size) const;
  void force(std::span<float> scores, std::span<const std::int32_t> ids) const;

  GenerationRules rules_;
  std::vector<std::int32_t> ends_;
  std::size_t prompt_tokens_ = 0;
  std::size_t limit_ = 0;
};

}  // namespace octavo::model
