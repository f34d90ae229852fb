// Against closed forms on logits made by hand.
#include "octavo/metrics.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"

using namespace octavo;

namespace {

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

}  // namespace

TEST_CASE("KL divergence and perplexity are those of the distributions, whatever constant is added to the logits") {
  const std::vector<double> p{0.5, 0.25, 0.25};
  const std::vector<double> q{0.25, 0.5, 0.25};
  std::vector<float> b = logits_of(q);
  for (float& value : b) value += 4;
  LogitComparison logits;
  logits.add(logits_of(p), b, 0);
  // 1/2 ln 2 + 1/4 ln 1/2 + 0
  CHECK(logits.mean_kl() == Approx(0.25 * std::log(2.0)).epsilon(1e-6));
  CHECK(logits.original_perplexity() == Approx(2).epsilon(1e-6));
  CHECK(logits.quantized_perplexity() == Approx(4).epsilon(1e-6));
  CHECK(logits.top1_agreement() == 0);
  logits.add(logits_of(p), logits_of(p), 1);
  CHECK(logits.mean_kl() == Approx(0.125 * std::log(2.0)).epsilon(1e-6));
  CHECK(logits.original_perplexity() == Approx(std::sqrt(2.0 * 4.0)).epsilon(1e-6));  // geometric mean of 1/p
  CHECK(logits.top1_agreement() == 0.5);
  CHECK(logits.positions == 2);
}

TEST_CASE("KL of logits that would overflow an exponential is still finite") {
  LogitComparison logits;
  logits.add(std::vector<float>{1000, 0}, std::vector<float>{999, 0});
  CHECK(logits.mean_kl() == Approx(0).margin(1e-12));
  CHECK(logits.targets == 0);
  CHECK(logits.original_perplexity() == 0);
}

TEST_CASE("cosine is that of the raw logits") {
  LogitComparison logits;
  logits.add(std::vector<float>{1, 0}, std::vector<float>{1, 1});
  CHECK(logits.mean_cosine() == Approx(1 / std::sqrt(2.0)));
  logits.add(std::vector<float>{0, 0}, std::vector<float>{0, 0});
  CHECK(logits.mean_cosine() == Approx((1 / std::sqrt(2.0) + 1) / 2));
}

TEST_CASE("top-5 agreement is the shared part of two sets, ties to the lower id") {
  LogitComparison logits;
  logits.add(std::vector<float>{9, 8, 7, 6, 5, 0, 0, 0}, std::vector<float>{5, 6, 7, 0, 0, 0, 8, 9});
  CHECK(logits.top5_agreement() == Approx(0.6));  // {0 1 2 3 4} and {7 6 2 1 0}
  CHECK(logits.top1_agreement() == 0);
  LogitComparison ties;
  ties.add(std::vector<float>{1, 1, 1, 1, 1, 1, 1}, std::vector<float>{1, 1, 1, 1, 1, 1, 2});
  CHECK(ties.top5_agreement() == Approx(0.8));  // {0 1 2 3 4} and {6 0 1 2 3}
  LogitComparison few;
  few.add(std::vector<float>{1, 2}, std::vector<float>{2, 1});
  CHECK(few.top5_agreement() == 1);
}

TEST_CASE("a NaN shows in the means instead of passing for agreement") {
  LogitComparison logits;
  logits.add(std::vector<float>{1, 2}, std::vector<float>{1, std::nanf("")});
  CHECK(std::isnan(logits.mean_cosine()));
  CHECK(std::isnan(logits.mean_kl()));
}

TEST_CASE("logits that cannot be compared are refused") {
  LogitComparison logits;
  CHECK(test::message_of([&] {
          logits.add(std::vector<float>{1, 2}, std::vector<float>{1});
        }) == "metrics: 2 logits against 1; both models must have the same, non-empty vocabulary");
  CHECK(test::contains(test::message_of([&] { logits.add({}, {}); }), "non-empty"));
  CHECK(test::message_of([&] {
          logits.add(std::vector<float>{1, 2}, std::vector<float>{1, 2}, 2);
        }) == "metrics: the target token 2 is outside the 2 logits");
  CHECK(logits.positions == 0);
}

TEST_CASE("prefix and output errors") {
  const std::vector<std::int32_t> a{1, 2, 3, 4};
  const std::vector<std::int32_t> b{1, 2, 9};
  CHECK(identical_prefix(a, b) == 2);
  CHECK(prefix_agreement(a, b) == 0.5);
  CHECK(prefix_agreement(a, a) == 1);
  CHECK(prefix_agreement({}, {}) == 1);
  CHECK(prefix_agreement(a, {}) == 0);
  OutputError error;
  const std::vector<float> original{3, 4};
  const std::vector<float> off{3, 3};
  error.add(Tensor::from<float>(original, {1, 2}), Tensor::from<float>(off, {1, 2}));
  CHECK(error.relative() == Approx(0.2));
  CHECK(error.rows == 1);
  OutputError nothing;
  const std::vector<float> zero{0, 0};
  nothing.add(Tensor::from<float>(zero, {1, 2}), Tensor::from<float>(zero, {1, 2}));
  CHECK(nothing.relative() == 0);
  nothing.add(Tensor::from<float>(zero, {1, 2}), Tensor::from<float>(off, {1, 2}));
  CHECK(std::isinf(nothing.relative()));
}
