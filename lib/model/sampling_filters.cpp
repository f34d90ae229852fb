#include "sampling_filters.hpp"

#include <algorithm>
#include <cmath>

namespace octavo::model {
namespace {

void normalise(Choices& choices) {
  double total = 0;
  for (const TokenProbability& choice : choices) total += choice.probability;
  for (TokenProbability& choice : choices) choice.probability /= total;
}

/// Drops the tail whose probability, summed from the least likely, stays within 1 - top_p. Holtzman et al. 2019.
void keep_nucleus(Choices& choices, double top_p) {
  double tail = 0;
  std::size_t kept = choices.size();
  while (kept > 1 && tail + choices[kept - 1].probability <= 1.0 - top_p) tail += choices[--kept].probability;
  choices.resize(kept);
}

void keep_from(Choices& choices, double least) {
  while (choices.size() > 1 && choices.back().probability < least) choices.pop_back();
}

double entropy_of(const Choices& choices) {
  double entropy = 0;
  for (const TokenProbability& choice : choices)
    if (choice.probability > 0) entropy -= choice.probability * std::log(choice.probability);
  return entropy;
}

/// Those whose information is nearest to the entropy, until they hold the mass. Meister et al. 2022.
void keep_typical(Choices& choices, double mass) {
  const double entropy = entropy_of(choices);
  const auto distance = [&](const TokenProbability& choice) {
    return std::abs(-std::log(choice.probability) - entropy);
  };
  Choices typical(choices);
  std::stable_sort(typical.begin(), typical.end(),
                   [&](const TokenProbability& a, const TokenProbability& b) { return distance(a) < distance(b); });
  double reached = 0;
  std::size_t last = 0;
  for (; last + 1 < typical.size(); ++last) {
    reached += typical[last].probability;
    if (!(reached < mass)) break;
  }
  const double farthest = distance(typical[last]);
  std::erase_if(choices, [&](const TokenProbability& choice) { return distance(choice) > farthest; });
}

}  // namespace

void filter_choices(Choices& choices, const SamplingOptions& options) {
  const auto is_cutoff = [](double value) { return value > 0 && value < 1; };
  if (options.top_p < 1.0) {
    keep_nucleus(choices, options.top_p);
    normalise(choices);
  }
  if (options.min_p > 0) {
    keep_from(choices, options.min_p * choices.front().probability);
    normalise(choices);
  }
  if (options.typical_p < 1.0) {
    keep_typical(choices, options.typical_p);
    normalise(choices);
  }
  if (is_cutoff(options.epsilon_cutoff)) {
    keep_from(choices, options.epsilon_cutoff);
    normalise(choices);
  }
  if (is_cutoff(options.eta_cutoff)) {  // Hewitt et al. 2022
    const double floor = std::sqrt(options.eta_cutoff) * std::exp(-entropy_of(choices));
    keep_from(choices, std::min(options.eta_cutoff, floor));
    normalise(choices);
  }
}

}  // namespace octavo::model
