// The filters of sampling_distribution, against values worked out by hand.
#include <limits>

#include "golden.hpp"

using octavo::sampling_distribution;
using octavo::SamplingOptions;
using octavo::TokenProbability;

namespace {

SamplingOptions sampling() {
  SamplingOptions options;
  options.do_sample = true;
  options.top_k = 0;
  return options;
}

std::vector<std::int32_t> ids_of(const std::vector<TokenProbability>& choices) {
  std::vector<std::int32_t> ids;
  for (const TokenProbability& choice : choices) ids.push_back(choice.id);
  return ids;
}

// Probabilities 0.5, 0.25, 0.125, 0.125 in the order 1, 3, 0, 2.
const std::vector<float> kLogits{std::log(0.125F), std::log(0.5F), std::log(0.125F), std::log(0.25F)};

}  // namespace

TEST_CASE("without filters the distribution is the softmax, best first") {
  const auto choices = sampling_distribution(kLogits, {}, sampling());
  REQUIRE(ids_of(choices) == std::vector<std::int32_t>{1, 3, 0, 2});
  REQUIRE(choices[0].probability == Approx(0.5));
  REQUIRE(choices[1].probability == Approx(0.25));
  REQUIRE(choices[3].probability == Approx(0.125));
}

TEST_CASE("temperature divides the scores") {
  SamplingOptions options = sampling();
  options.temperature = 0.5;  // squares the odds: 16 : 4 : 1 : 1
  const auto choices = sampling_distribution(kLogits, {}, options);
  REQUIRE(choices[0].probability == Approx(16.0 / 22));
  REQUIRE(choices[2].probability == Approx(1.0 / 22));
  options.temperature = 1e-6;
  REQUIRE(sampling_distribution(kLogits, {}, options)[0].probability == Approx(1.0));
  options.temperature = 0;
  REQUIRE(ids_of(sampling_distribution(kLogits, {}, options)) == std::vector<std::int32_t>{1});
}

TEST_CASE("top-k keeps the k best and their ties") {
  SamplingOptions options = sampling();
  options.top_k = 2;
  const auto two = sampling_distribution(kLogits, {}, options);
  REQUIRE(ids_of(two) == std::vector<std::int32_t>{1, 3});
  REQUIRE(two[0].probability == Approx(2.0 / 3));
  options.top_k = 3;
  REQUIRE(ids_of(sampling_distribution(kLogits, {}, options)) == std::vector<std::int32_t>{1, 3, 0, 2});
  options.top_k = 100;
  REQUIRE(sampling_distribution(kLogits, {}, options).size() == 4);
}

TEST_CASE("top-p keeps the smallest set that reaches it, never nothing") {
  SamplingOptions options = sampling();
  options.top_p = 0.8;  // the tail 0.125 + 0.125 exceeds 0.2, one 0.125 does not
  const auto choices = sampling_distribution(kLogits, {}, options);
  REQUIRE(ids_of(choices) == std::vector<std::int32_t>{1, 3, 0});
  REQUIRE(choices[0].probability == Approx(0.5 / 0.875));
  options.top_p = 0.4;
  REQUIRE(ids_of(sampling_distribution(kLogits, {}, options)) == std::vector<std::int32_t>{1});
  options.top_p = 0;
  REQUIRE(ids_of(sampling_distribution(kLogits, {}, options)) == std::vector<std::int32_t>{1});
}

TEST_CASE("the repetition penalty acts once per id, towards unlikelier, in greedy mode too") {
  const std::vector<float> logits{2.0F, 1.9F, -1.0F};
  const std::vector<std::int32_t> history{0, 0, 0, 2, 2, 99, -5};  // ids outside are the tokenizer's business
  SamplingOptions options;
  options.repetition_penalty = 1.25;
  REQUIRE(ids_of(sampling_distribution(logits, history, options)) == std::vector<std::int32_t>{1});
  options = sampling();
  options.repetition_penalty = 1.25;  // 2 -> 1.6, -1 -> -1.25
  const auto choices = sampling_distribution(logits, history, options);
  REQUIRE(ids_of(choices) == std::vector<std::int32_t>{1, 0, 2});
  REQUIRE(choices[1].probability / choices[0].probability == Approx(std::exp(1.6 - 1.9)).epsilon(1e-5));
  REQUIRE(choices[2].probability / choices[0].probability == Approx(std::exp(-1.25 - 1.9)).epsilon(1e-5));
}

TEST_CASE("ties go to the first id and -infinity is never chosen") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits{-inf, 1.0F, 1.0F, -inf};
  REQUIRE(ids_of(sampling_distribution(logits, {}, {})) == std::vector<std::int32_t>{1});
  REQUIRE(ids_of(sampling_distribution(logits, {}, sampling())) == std::vector<std::int32_t>{1, 2});
  SamplingOptions options = sampling();
  options.top_k = 1;
  REQUIRE(ids_of(sampling_distribution(logits, {}, options)) == std::vector<std::int32_t>{1, 2});
}

TEST_CASE("a logit that is NaN is no choice among the others") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const SamplingOptions& options : {SamplingOptions(), sampling()}) {
    const auto message = [&](const std::vector<float>& logits) {
      return golden::message_of([&] { sampling_distribution(logits, {}, options); });
    };
    CHECK(message({nan, 1}) == "sampling: logit 0 is NaN");
    CHECK(message({1, 2, nan}) == "sampling: logit 2 is NaN");
    CHECK(message({1, inf}) == "sampling: the largest of the 2 logits is not finite");
    CHECK(message({-inf, -inf}) == "sampling: the largest of the 2 logits is not finite");
  }
}

TEST_CASE("sampling options out of their domain are refused") {
  SamplingOptions options = sampling();
  const auto message = [&] { return golden::message_of([&] { sampling_distribution(kLogits, {}, options); }); };
  SECTION("temperature") {
    options.temperature = -1;
    REQUIRE(message() == "sampling: temperature is -1.000000, it must be 0 (greedy) or positive");
  }
  SECTION("top_k") {
    options.top_k = -2;
    REQUIRE(message() == "sampling: top_k is -2, it must be 0 (off) or positive");
  }
  SECTION("top_p") {
    options.top_p = 1.5;
    REQUIRE(message() == "sampling: top_p is 1.500000, it must lie in [0, 1]");
  }
  SECTION("penalty") {
    options.repetition_penalty = 0;
    REQUIRE(message() == "sampling: repetition_penalty is 0.000000, it must be positive");
  }
}
