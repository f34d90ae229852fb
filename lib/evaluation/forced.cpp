#include <algorithm>

#include "octavo/evaluation.hpp"

namespace octavo {

std::span<const float> row_of(const Tensor& logits, std::int64_t row) {
  const auto vocab = static_cast<std::size_t>(logits.dim(1));
  return logits.values<float>().subspan(static_cast<std::size_t>(row) * vocab, vocab);
}

ForcedInput force_answer(const Model& model, const ModelInput& prompt, std::span<const std::int32_t> answer) {
  ForcedInput forced;
  forced.input = prompt;
  forced.first = static_cast<std::int64_t>(prompt.ids.size()) - 1;
  // A pad that the model wrote itself is text to generate, but a picture's place to forward.
  const auto pad = std::find_if(answer.begin(), answer.end(), [&](std::int32_t id) { return model.is_pad(id); });
  forced.targets.assign(answer.begin(), pad);
  if (!forced.targets.empty())
    forced.input.ids.insert(forced.input.ids.end(), forced.targets.begin(), forced.targets.end() - 1);
  return forced;
}

}  // namespace octavo
