// What a draw leaves out besides top_k: filters over probabilities, in the order of transformers' logits warpers.
#pragma once

#include "octavo/detail/pooled.hpp"
#include "octavo/sampling.hpp"

namespace octavo::model {

/// In the generation's memory pool: a step allocates nothing.
using Choices = detail::PooledVector<TokenProbability>;

/// `choices`, the likeliest first, with probabilities that sum to 1, before and after. One always stays.
void filter_choices(Choices& choices, const SamplingOptions& options);

}  // namespace octavo::model
