// Prompt lookup: guesses an answer's next tokens from what stood there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "octavo/model.hpp"

namespace octavo::model {

/// Throws invalid_argument for options out of their domain.
void check_lookup(const PromptLookup& lookup);

/// Sets `draft` to at most `most` ids that may follow `history`: those behind the last earlier place of its last
/// `ngram` ids, or of fewer where these stand nowhere. A run that repeats up to the end goes on repeating. Stops
/// before `image_pad`, which no answer holds.
void look_up(std::span<const std::int32_t> history, std::int64_t ngram, std::size_t most, std::int32_t image_pad,
             std::vector<std::int32_t>& draft);

}  // namespace octavo::model
