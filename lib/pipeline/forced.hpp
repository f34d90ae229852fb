/// Teacher forcing: a model reads a prompt and an answer that is given, so that two models can be compared at every
/// position of the same text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "octavo/model.hpp"

namespace octavo::pipeline {

struct ForcedInput {
  ModelInput input;                   ///< prompt and all but the last token of the answer (cut before a picture's pad)
  std::int64_t first = 0;             ///< the row that predicts the answer's first token
  std::vector<std::int32_t> targets;  ///< what rows first .. predict
};
ForcedInput force(const Model& model, const ModelInput& prompt, std::span<const std::int32_t> answer);

/// The id is a picture's or a video's pad.
bool is_pad(const Model& model, std::int32_t id);
/// logits[L, vocab]: one row.
std::span<const float> row_of(const Tensor& logits, std::int64_t row);

}  // namespace octavo::pipeline
