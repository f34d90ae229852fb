// The options that act on an answer as it grows, and that show what the model thought of it.
#pragma once

#include <cstdint>
#include <octavo/octavo.hpp>
#include <optional>
#include <string>
#include <vector>

#include "program.hpp"

namespace cli {

struct AnswerControl {
  std::vector<std::string> stops, biases;
  bool ignore_eos = false;
  std::optional<std::int64_t> log_probs;

  /// `json`: whether the answer is printed as JSON. @throws UsageError  for what cannot be read, or be shown.
  void apply(octavo::GenerateOptions& options, bool json) const;
};
/// --stop, --ignore-eos, --logit-bias.
void add_answer_control(Command& command, AnswerControl& control);
/// --log-probs.
void add_log_probs(Command& command, AnswerControl& control);
/// "log_probs", in the order of the tokens.
octavo::JsonBuilder log_probs_json(const std::vector<octavo::TokenLogProbs>& log_probs);

}  // namespace cli
