// Pieces of the models' two ends, beside model_operations.hpp. Caller-checked.
#pragma once

#include <cstdint>

#include "octavo/architecture.hpp"
#include "octavo/model_operations.hpp"

namespace octavo::model {

/// out[i] = rows `order[i]` of x, where a "row" is `group` consecutive rows of x[L,K]; order[G] i64.
Tensor gather_groups(const Tensor& x, const Tensor& order, std::int64_t group);

/// Writes row `index` of table[V,K] (any float type) as f32 to out[K].
void read_row(const Tensor& table, std::int64_t index, float* out);

/// logits[M,V] f32, in place: times scales.logits, then scales.logit_cap * tanh(x / scales.logit_cap).
void scale_logits(Tensor& logits, const LanguageScales& scales);

}  // namespace octavo::model
