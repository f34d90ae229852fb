// The options that say how tokens are chosen: greedy, sampled, or as the model's files say.
#pragma once

#include <cstdint>
#include <octavo/sampling.hpp>
#include <optional>

#include "program.hpp"

namespace cli {

struct TokenChoice {
  bool greedy = false, sample = false;
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<std::int64_t> top_k, seed;

  /// Absent: the model's own. @throws UsageError  for options that need each other.
  std::optional<octavo::SamplingOptions> sampling() const;
};
/// --greedy, --sample and what goes with them.
void add_token_choice(Command& command, TokenChoice& choice);

}  // namespace cli
