#include <limits>
#include <vector>

#include "catch.hpp"
#include "octavo/evaluation.hpp"

using namespace octavo;

TEST_CASE("a metric that is NaN misses its bound and one that is absent is not judged") {
  VerifyThresholds bounds;
  bounds.max_kl = 1;
  bounds.min_logit_cosine = 0.5;
  bounds.max_perplexity_ratio = 1.1;
  StepMetrics metrics;
  CHECK(missed_bounds(bounds, metrics).empty());
  metrics.kl = std::numeric_limits<double>::quiet_NaN();
  metrics.logit_cosine = 0.5;
  metrics.original_perplexity = 2;
  metrics.quantized_perplexity = 3;
  const std::vector<StepFailure> missed = missed_bounds(bounds, metrics);
  REQUIRE(missed.size() == 2);
  CHECK(missed[0].what == "KL divergence");
  CHECK(missed[1].line() == "perplexity ratio is 1.5 (from 2 to 3), expected at most 1.1");
}
