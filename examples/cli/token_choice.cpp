#include "token_choice.hpp"

#include <string>

namespace cli {

std::optional<octavo::SamplingOptions> TokenChoice::sampling() const {
  if (sample && greedy) throw UsageError("--sample and --greedy exclude each other");
  if (!sample && !greedy) {
    const char* given = temperature          ? "--temperature"
                        : top_k              ? "--top-k"
                        : top_p              ? "--top-p"
                        : min_p              ? "--min-p"
                        : repetition_penalty ? "--repetition-penalty"
                        : seed               ? "--seed"
                                             : nullptr;
    if (given != nullptr) throw UsageError(std::string(given) + " needs --sample (or --greedy)");
    return std::nullopt;
  }
  const char* drawn = temperature ? "--temperature"
                      : top_k     ? "--top-k"
                      : top_p     ? "--top-p"
                      : min_p     ? "--min-p"
                                  : nullptr;
  if (greedy && drawn != nullptr) throw UsageError(std::string(drawn) + " needs --sample: --greedy draws nothing");
  octavo::SamplingOptions options;
  options.do_sample = sample;
  options.temperature = temperature.value_or(options.temperature);
  options.top_k = top_k.value_or(options.top_k);
  options.top_p = top_p.value_or(options.top_p);
  options.min_p = min_p.value_or(options.min_p);
  options.repetition_penalty = repetition_penalty.value_or(options.repetition_penalty);
  options.seed = static_cast<std::uint64_t>(seed.value_or(0));
  return options;
}

void add_token_choice(Command& command, TokenChoice& choice) {
  command.flag("--greedy", choice.greedy, "take the most likely token");
  command.flag("--sample", choice.sample, "sample");
  command.number("--temperature", choice.temperature, "with --sample (1.0)");
  command.integer("--top-k", choice.top_k, 0, "with --sample (50; 0: off)");
  command.number("--top-p", choice.top_p, "with --sample (1.0)");
  command.number("--min-p", choice.min_p,
                 "with --sample: leave out what has less than this part of the best one's probability (0)");
  command.number("--repetition-penalty", choice.repetition_penalty, "with --sample or --greedy (1.0)");
  command.integer("--seed", choice.seed, 0, "with --sample (0)");
}

}  // namespace cli
