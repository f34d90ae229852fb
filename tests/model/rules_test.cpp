// GenerationRules and the filters of a draw, against transformers' logits processors in generate's own order. The
// values are of tests/golden/model/make_rules.py (transformers 4.57 and 5.17 give the same).
#include "catch.hpp"
#include "octavo/generation_config.hpp"
#include "octavo/json.hpp"
#include "sampling.hpp"

using namespace octavo;

namespace {

std::vector<std::int32_t> ids_of(const Json& list) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < list.size(); ++i) ids.push_back(static_cast<std::int32_t>(list.at(i).as_int()));
  return ids;
}

SamplingOptions default_sampling(const GenerationConfig& config) {
  SamplingOptions options;
  options.do_sample = config.do_sample;
  options.temperature = config.temperature;
  options.top_k = config.top_k;
  options.top_p = config.top_p;
  options.min_p = config.min_p;
  options.typical_p = config.typical_p;
  options.epsilon_cutoff = config.epsilon_cutoff;
  options.eta_cutoff = config.eta_cutoff;
  options.repetition_penalty = config.repetition_penalty;
  return options;
}

model::TokenRules rules(GenerationRules given, std::size_t prompt_tokens = 2, std::int64_t limit = 10) {
  return model::TokenRules(std::move(given), {7}, prompt_tokens, limit, 8);
}

}  // namespace

TEST_CASE("a step draws from what transformers' processors leave") {
  const Json file = Json::read_file(std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/rules.json");
  const Json cases = file.at("cases");
  REQUIRE(cases.size() == 400);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Json one = cases.at(i);
    INFO("case " << i << ": " << one.dump());
    const GenerationConfig config = GenerationConfig::parse(one.at("config"));
    std::vector<float> logits;
    for (std::size_t k = 0; k < one.at("logits").size(); ++k)
      logits.push_back(static_cast<float>(one.at("logits").at(k).as_number()));
    const std::vector<std::int32_t> ends(config.eos_token_ids.begin(), config.eos_token_ids.end());
    const model::Sampler sampler(
        default_sampling(config),
        model::TokenRules(config.rules, ends, static_cast<std::size_t>(one.at("prompt_tokens").as_int()),
                          one.at("limit").as_int(), static_cast<std::int64_t>(logits.size())));
    const std::vector<TokenProbability> choices = sampler.choices(logits, ids_of(one.at("history")));
    const Json expected = one.at("choices");
    REQUIRE(choices.size() == expected.size());
    for (std::size_t k = 0; k < choices.size(); ++k) {
      // Equal probabilities may stand in either order.
      CHECK(choices[k].probability == Approx(expected.at(k).at(std::size_t{1}).as_number()).margin(1e-6));
      bool found = false;
      for (std::size_t j = 0; j < expected.size(); ++j)
        found = found || (expected.at(j).at(std::size_t{0}).as_int() == choices[k].id &&
                          choices[k].probability == Approx(expected.at(j).at(std::size_t{1}).as_number()).margin(1e-6));
      CHECK(found);
    }
  }
}

TEST_CASE("ids outside the vocabulary are refused where they would be scored") {
  GenerationRules given;
  given.bad_words_ids = {{3, 8}};
  CHECK_THROWS_WITH(rules(given), "generate: bad_words_ids has the token id 8, outside the vocabulary of 8");
  given = {};
  given.forced_eos_token_ids = {9};
  CHECK_THROWS_WITH(rules(given), "generate: forced_eos_token_id has the token id 9, outside the vocabulary of 8");
  given = {};
  given.suppress_tokens = {900};
  CHECK_NOTHROW(rules(given));
}

TEST_CASE("rules that leave no token are an error that says so") {
  GenerationRules given;
  given.suppress_tokens = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<float> logits(8, 0.5F);
  const std::vector<std::int32_t> history{1, 2};
  const model::Sampler sampler({}, rules(given));
  CHECK_THROWS_WITH(sampler.choices(logits, history),
                    "sampling: the rules of generation_config.json, logit_bias and on_logits leave no token to choose");
}
