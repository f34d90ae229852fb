// Log-probabilities: of the model's own logits, the same however an answer is computed.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/prefix_cache.hpp"
#include "octavo/session.hpp"

using golden::greedy;
using golden::message_of;
using golden::Values;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Model;
using octavo::ModelInput;
using Ids = std::vector<std::int32_t>;

namespace {

/// By the formula, in long double, term by term.
long double log_softmax(std::span<const float> logits, std::size_t id) {
  long double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<long double>(logit) - static_cast<long double>(logits[id]));
  return -std::log(sum);
}

/// Holds `result` against the logits that a session gives for the same tokens.
void require_of_session(const Model& model, const ModelInput& prompt, const GenerateResult& result, std::size_t best,
                        double tolerance) {
  REQUIRE(result.log_probs.size() == result.tokens.size());
  octavo::Session session(model, 256);
  octavo::Tensor logits = session.feed(prompt);
  for (std::size_t i = 0; i < result.tokens.size(); ++i) {
    const std::span<const float> row = logits.values<float>();
    const octavo::TokenLogProbs& found = result.log_probs[i];
    REQUIRE(std::abs(found.log_prob -
                     static_cast<double>(log_softmax(row, static_cast<std::size_t>(result.tokens[i])))) <= tolerance);
    REQUIRE(found.best.size() == best);
    std::vector<std::size_t> order(row.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row[a] > row[b]; });
    for (std::size_t k = 0; k < best; ++k) {
      if (tolerance < 1e-9) REQUIRE(found.best[k].id == static_cast<std::int32_t>(order[k]));
      REQUIRE(std::abs(found.best[k].log_prob - static_cast<double>(log_softmax(row, order[k]))) <= tolerance);
    }
    logits = session.feed({{result.tokens[i]}, {}, 0});
  }
}

}  // namespace

TEST_CASE("log-probabilities are the log-softmax of the logits of a session") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(24);
  options.log_probs = 5;

  SECTION("greedy: the token is the likeliest") {
    const GenerateResult result = model.generate(values.input("one"), options);
    require_of_session(model, values.input("one"), result, 5, 1e-12);
    for (std::size_t i = 0; i < result.tokens.size(); ++i) {
      REQUIRE(result.log_probs[i].best[0].id == result.tokens[i]);
      REQUIRE(result.log_probs[i].best[0].log_prob == result.log_probs[i].log_prob);
    }
  }
  SECTION("penalties, bias and a draw change the choice and not what the model thought of it") {
    options.sampling->do_sample = true;
    options.sampling->temperature = 3.0;
    options.sampling->repetition_penalty = 1.5;
    options.logit_bias = {{5, 4.0}, {6, -2.0}};
    const GenerateResult result = model.generate(values.input("two"), options);
    require_of_session(model, values.input("two"), result, 5, 1e-12);
    REQUIRE(result.tokens != model.generate(values.input("two"), greedy(24)).tokens);
  }
  SECTION("without a cache, up to rounding") {
    options.use_cache = false;
    require_of_session(model, values.input("one"), model.generate(values.input("one"), options), 5, 1e-4);
  }
  SECTION("in a batch, each its own") {
    const std::vector<ModelInput> inputs{values.input("one"), values.input("text"), values.input("two")};
    const std::vector<GenerateResult> results = model.generate(inputs, options);
    for (std::size_t i = 0; i < inputs.size(); ++i) require_of_session(model, inputs[i], results[i], 5, 1e-4);
  }
  SECTION("none of the best, and all of the vocabulary") {
    options.log_probs = 0;
    require_of_session(model, values.input("text"), model.generate(values.input("text"), options), 0, 1e-12);
    options.log_probs = model.vocab_size();
    options.max_new_tokens = 2;
    const GenerateResult result = model.generate(values.input("text"), options);
    require_of_session(model, values.input("text"), result, static_cast<std::size_t>(model.vocab_size()), 1e-12);
    double sum = 0;
    for (const octavo::TokenLogProb& one : result.log_probs[0].best) sum += std::exp(one.log_prob);
    REQUIRE(std::abs(sum - 1) < 1e-9);
  }
  SECTION("unasked, none") { REQUIRE(model.generate(values.input("one"), greedy(3)).log_probs.empty()); }
}

TEST_CASE("the first token's log-probability is that of transformers' logits") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(1);
  options.log_probs = 3;
  for (const std::string prompt : {"text", "one", "two"}) {
    const octavo::Tensor logits = values.tensor(prompt + ".logits").contiguous();
    const std::span<const float> all = logits.values<float>();
    const std::span<const float> last = all.last(static_cast<std::size_t>(model.vocab_size()));
    const GenerateResult result = model.generate(values.input(prompt), options);
    REQUIRE(std::abs(result.log_probs[0].log_prob -
                     static_cast<double>(log_softmax(last, static_cast<std::size_t>(result.tokens[0])))) < 1e-4);
  }
}

TEST_CASE("log-probabilities are the same with prompt lookup and from a prefix cache") {
  const Model model = Model::open(golden::bundled());
  const ModelInput prompt = golden::ask(model, "Where is the purple circle?", "000");
  GenerateOptions options;
  options.max_new_tokens = 32;
  options.log_probs = 2;
  const GenerateResult plain = model.generate(prompt, options);
  const auto require_equal = [&](const GenerateResult& other) {
    REQUIRE(other.tokens == plain.tokens);
    for (std::size_t i = 0; i < plain.tokens.size(); ++i) {
      REQUIRE(other.log_probs[i].log_prob == plain.log_probs[i].log_prob);
      REQUIRE(other.log_probs[i].best[1].id == plain.log_probs[i].best[1].id);
      REQUIRE(other.log_probs[i].best[1].log_prob == plain.log_probs[i].best[1].log_prob);
    }
  };
  SECTION("lookup") {
    options.lookup = octavo::PromptLookup{};
    const GenerateResult looked_up = model.generate(prompt, options);
    REQUIRE(looked_up.accepted_tokens > 0);
    require_equal(looked_up);
  }
  SECTION("prefix cache") {
    options.prefix_cache = std::make_shared<octavo::PrefixCache>();
    require_equal(model.generate(prompt, options));
    const GenerateResult again = model.generate(prompt, options);
    REQUIRE(again.reused_tokens > 0);
    REQUIRE(again.tokens == plain.tokens);
    for (std::size_t i = 0; i < plain.tokens.size(); ++i)
      REQUIRE(std::abs(again.log_probs[i].log_prob - plain.log_probs[i].log_prob) < 1e-4);
  }
}

TEST_CASE("log-probabilities that cannot be given are refused") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(1);
  options.log_probs = model.vocab_size() + 1;
  REQUIRE(message_of([&] { model.generate(values.input("text"), options); }).find("log_probs asks for the 273 best") !=
          std::string::npos);
  options.log_probs = -1;
  REQUIRE_THROWS_AS(model.generate(values.input("text"), options), octavo::Error);

  const std::vector<float> logits{1.0F, -INFINITY, 2.0F};
  REQUIRE(octavo::log_probs_of(logits, 1).log_prob == -INFINITY);
  REQUIRE(octavo::log_probs_of(logits, 2, 3).best[2].id == 1);
  REQUIRE_THROWS_AS(octavo::log_probs_of(logits, 3), octavo::Error);
  REQUIRE_THROWS_AS(octavo::log_probs_of(logits, -1), octavo::Error);
  REQUIRE_THROWS_AS(octavo::log_probs_of(logits, 0, 4), octavo::Error);
  REQUIRE_THROWS_AS(octavo::log_probs_of(std::vector<float>{NAN, 0.0F}, 1), octavo::Error);
  REQUIRE_THROWS_AS(octavo::log_probs_of(std::vector<float>{INFINITY, 0.0F}, 1), octavo::Error);
  REQUIRE_THROWS_AS(octavo::log_probs_of(std::vector<float>{-INFINITY, -INFINITY}, 1), octavo::Error);
}
