#include <algorithm>

#include "octavo/evaluation.hpp"

namespace octavo {

void StepMetrics::set_logits(const LogitComparison& logits) {
  positions = logits.positions;
  if (logits.positions == 0) return;
  logit_cosine = logits.mean_cosine();
  kl = logits.mean_kl();
  top1_agreement = logits.top1_agreement();
  top5_agreement = logits.top5_agreement();
  if (logits.targets == 0) return;
  original_perplexity = logits.original_perplexity();
  quantized_perplexity = logits.quantized_perplexity();
}

void StepMetrics::add_answers(std::span<const std::int32_t> original, std::span<const std::int32_t> quantized) {
  const std::int64_t before = prompts.value_or(0);
  const double sum = token_agreement.value_or(0) * static_cast<double>(before) + prefix_agreement(original, quantized);
  prompts = before + 1;
  token_agreement = sum / static_cast<double>(before + 1);
  identical_prefix = identical_prefix.value_or(0) + octavo::identical_prefix(original, quantized);
  tokens = tokens.value_or(0) + static_cast<std::int64_t>(std::max(original.size(), quantized.size()));
}

}  // namespace octavo
