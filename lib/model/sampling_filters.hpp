// What a draw leaves out besides top_k: filters over probabilities, in the order of transformers' logits warpers.
#pragma once

#include <vector>

#include "octavo/sampling.hpp"

namespace octavo::model {

/// `choices`, the likeliest first, with probabilities that sum to 1, before and after. One always stays.
void filter_choices(std::vector<TokenProbability>& choices, const SamplingOptions& options);

}  // namespace octavo::model
