// A rung's metrics against its bounds, and the texts of what was missed.
#include <algorithm>

#include "ladder.hpp"

namespace octavo {
namespace pipeline {
namespace {

// Both are written so that a NaN misses.
void at_least(RungResult& rung, const char* what, std::optional<double> value, std::optional<double> bound) {
  if (value && bound && !(*value >= *bound))
    rung.failures.push_back({Expectation::bound, what, "at least " + number(*bound), number(*value)});
}

void at_most(RungResult& rung, const char* what, std::optional<double> value, std::optional<double> bound,
             const std::string& remark = "") {
  if (value && bound && !(*value <= *bound))
    rung.failures.push_back({Expectation::bound, what, "at most " + number(*bound), number(*value) + remark});
}

/// A cache that gives other logits is no matter of degree.
void cache_at_most(RungResult& rung, const char* what, std::optional<double> value, std::optional<double> bound) {
  if (value && bound && !(*value <= *bound))
    rung.failures.push_back({Expectation::same_cached, what, "at most " + number(*bound), number(*value)});
}

}  // namespace

void judge(const VerifyThresholds& bounds, RungResult& rung) {
  const RungMetrics& metrics = rung.metrics;
  cache_at_most(rung, "cached against uncached logits (original)", metrics.original_cache_difference,
                bounds.max_cache_difference);
  cache_at_most(rung, "cached against uncached logits (quantized)", metrics.quantized_cache_difference,
                bounds.max_cache_difference_quantized);
  at_least(rung, "logit cosine", metrics.logit_cosine, bounds.min_logit_cosine);
  at_most(rung, "KL divergence", metrics.kl, bounds.max_kl);
  at_least(rung, "top-1 agreement", metrics.top1_agreement, bounds.min_top1_agreement);
  at_least(rung, "top-5 agreement", metrics.top5_agreement, bounds.min_top5_agreement);
  at_least(rung, "token agreement", metrics.token_agreement, bounds.min_token_agreement);
  if (metrics.original_perplexity && metrics.quantized_perplexity) {
    at_most(rung, "perplexity ratio", *metrics.quantized_perplexity / *metrics.original_perplexity,
            bounds.max_perplexity_ratio,
            " (from " + number(*metrics.original_perplexity) + " to " + number(*metrics.quantized_perplexity) + ")");
  }
  if (metrics.original_accuracy && metrics.quantized_accuracy) {
    at_most(rung, "accuracy drop", *metrics.original_accuracy - *metrics.quantized_accuracy, bounds.max_accuracy_drop,
            " (from " + number(*metrics.original_accuracy) + " to " + number(*metrics.quantized_accuracy) + ")");
  }
}

}  // namespace pipeline

bool VerifyResult::only_bounds_missed() const {
  return std::all_of(rungs.begin(), rungs.end(), [](const RungResult& rung) {
    return std::all_of(rung.failures.begin(), rung.failures.end(),
                       [](const RungFailure& failure) { return failure.expectation == Expectation::bound; });
  });
}

std::string RungFailure::line() const {
  return expectation == Expectation::runs ? what + ": " + seen : what + " is " + seen + ", expected " + expected;
}

}  // namespace octavo
