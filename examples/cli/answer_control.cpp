#include "answer_control.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace cli {
namespace {

octavo::TokenBias bias_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  octavo::TokenBias bias;
  const char* const begin = text.data();
  const char* const id_end = begin + (equals == std::string::npos ? 0 : equals);
  const auto [read, failed] = std::from_chars(begin, id_end, bias.id);
  char* end = nullptr;
  errno = 0;
  if (equals != std::string::npos) bias.bias = std::strtod(text.c_str() + equals + 1, &end);
  const bool is_number = end != nullptr && *end == '\0' && end != text.c_str() + equals + 1 && errno == 0;
  if (failed != std::errc() || read != id_end || read == begin || !is_number)
    throw UsageError("--logit-bias is ID=BIAS, a token id and a number (-inf forbids it), and not \"" + text + "\"");
  return bias;
}

}  // namespace

void AnswerControl::apply(octavo::GenerateOptions& options, bool json) const {
  if (log_probs && !json) throw UsageError("--log-probs needs --json: they stand in the document");
  options.stop_strings = stops;
  options.ignore_eos = ignore_eos;
  options.log_probs = log_probs;
  for (const std::string& text : biases) options.logit_bias.push_back(bias_of(text));
}

void add_answer_control(Command& command, AnswerControl& control) {
  command.texts("--stop", {"TEXT"}, control.stops,
                "end the answer before this text, may be repeated; besides the model's own ends");
  command.flag("--ignore-eos", control.ignore_eos, "go on past the model's end tokens, up to --max-new-tokens");
  command.texts("--logit-bias", {"ID=BIAS"}, control.biases,
                "add BIAS to the logit of token ID, may be repeated; -inf forbids the token");
}

void add_log_probs(Command& command, AnswerControl& control) {
  command.integer("--log-probs", control.log_probs, 0,
                  "with --json: the log-probability of each token of the answer, and of the N likeliest");
}

octavo::JsonBuilder log_probs_json(const std::vector<octavo::TokenLogProbs>& log_probs) {
  octavo::JsonBuilder tokens = octavo::JsonBuilder::array();
  for (const octavo::TokenLogProbs& token : log_probs) {
    octavo::JsonBuilder best = octavo::JsonBuilder::array();
    for (const octavo::TokenLogProb& one : token.best)
      best.push(octavo::JsonBuilder::object().set("id", static_cast<int>(one.id)).set("log_prob", one.log_prob));
    tokens.push(octavo::JsonBuilder::object().set("log_prob", token.log_prob).set("best", std::move(best)));
  }
  return tokens;
}

}  // namespace cli
