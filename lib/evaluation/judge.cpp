// Metrics against their bounds, and the texts of what was missed.
#include "octavo/evaluation.hpp"

namespace octavo {
namespace {

// Both are written so that a NaN misses.
void at_least(std::vector<StepFailure>& missed, const char* what, std::optional<double> value,
              std::optional<double> bound) {
  if (value && bound && !(*value >= *bound))
    missed.push_back({Expectation::bound, what, "at least " + number_text(*bound), number_text(*value)});
}

void at_most(std::vector<StepFailure>& missed, const char* what, std::optional<double> value,
             std::optional<double> bound, const std::string& remark = "") {
  if (value && bound && !(*value <= *bound))
    missed.push_back({Expectation::bound, what, "at most " + number_text(*bound), number_text(*value) + remark});
}

/// A cache that gives other logits is no matter of degree.
void cache_at_most(std::vector<StepFailure>& missed, const char* what, std::optional<double> value,
                   std::optional<double> bound) {
  if (value && bound && !(*value <= *bound))
    missed.push_back({Expectation::same_cached, what, "at most " + number_text(*bound), number_text(*value)});
}

}  // namespace

std::vector<StepFailure> missed_bounds(const VerifyThresholds& bounds, const StepMetrics& metrics) {
  std::vector<StepFailure> missed;
  cache_at_most(missed, "cached against uncached logits (original)", metrics.original_cache_difference,
                bounds.max_cache_difference);
  cache_at_most(missed, "cached against uncached logits (quantized)", metrics.quantized_cache_difference,
                bounds.max_cache_difference_quantized);
  at_least(missed, "logit cosine", metrics.logit_cosine, bounds.min_logit_cosine);
  at_most(missed, "KL divergence", metrics.kl, bounds.max_kl);
  at_least(missed, "top-1 agreement", metrics.top1_agreement, bounds.min_top1_agreement);
  at_least(missed, "top-5 agreement", metrics.top5_agreement, bounds.min_top5_agreement);
  at_least(missed, "token agreement", metrics.token_agreement, bounds.min_token_agreement);
  if (metrics.original_perplexity && metrics.quantized_perplexity) {
    at_most(missed, "perplexity ratio", *metrics.quantized_perplexity / *metrics.original_perplexity,
            bounds.max_perplexity_ratio,
            " (from " + number_text(*metrics.original_perplexity) + " to " +
                number_text(*metrics.quantized_perplexity) + ")");
  }
  if (metrics.original_accuracy && metrics.quantized_accuracy) {
    at_most(
        missed, "accuracy drop", *metrics.original_accuracy - *metrics.quantized_accuracy, bounds.max_accuracy_drop,
        " (from " + number_text(*metrics.original_accuracy) + " to " + number_text(*metrics.quantized_accuracy) + ")");
  }
  return missed;
}

std::string StepFailure::line() const {
  return expectation == Expectation::runs ? what + ": " + seen : what + " is " + seen + ", expected " + expected;
}

}  // namespace octavo
