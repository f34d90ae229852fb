// A call in parts, so that its activations take no more memory for a long prompt than for a short one.
#pragma once

#include <cstdint>

#include "architecture.hpp"

namespace octavo::model {

/// Throws invalid_argument unless it is 0 (no parts) or positive.
void check_prefill_chunk(std::int64_t chunk);

/// As architecture.run, in calls of at most `chunk` rows, each sequence's rows in order and the sequences one behind
/// the other. Positions are planned for the whole first, so that a part may end anywhere, inside an image, too. 0: one
/// call; so is a call of a sequence without cache, whose rows must all be there at once.
///
/// A call that throws, in whatever part, leaves states and caches as they were.
Tensor run_in_chunks(const Architecture& architecture, const LanguageCall& call, std::int64_t chunk);

}  // namespace octavo::model
