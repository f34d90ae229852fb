// Answers of a fixed form: with every way to choose and to run, and what they leave as it is.
#include <cmath>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/json.hpp"
#include "octavo/output_form.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using octavo::Error;
using octavo::ErrorCode;
using octavo::FinishReason;
using octavo::FormState;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Json;
using octavo::Model;
using octavo::ModelInput;
using octavo::OutputForm;
using octavo::SamplingOptions;

namespace {

const Model& bundled_model() {
  static const Model model = Model::open(golden::bundled());
  return model;
}

const char* const kPeople = R"({
  "type": "object",
  "properties": {
    "kind": {"enum": ["shape", "colour"]},
    "size": {"type": "integer", "minimum": 1, "maximum": 200},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "names": {"type": "array", "items": {"type": "string", "maxLength": 5}, "minItems": 1, "maxItems": 3},
    "parts": {"type": "array", "maxItems": 2, "items": {"$ref": "#"}},
    "note": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[a-z]{1,4}$"}]}
  },
  "required": ["kind", "names"]
})";

/// By hand what the schema says.
void check_people(const Json& value) {
  REQUIRE(value.is_object());
  const std::string kind = value.at("kind").as_string();
  CHECK((kind == "shape" || kind == "colour"));
  CHECK(value.at("names").size() >= 1);
  CHECK(value.at("names").size() <= 3);
  value.for_each_member([&](std::string_view key, const Json& member) {
    if (key == "size") {
      CHECK(member.is_integer());
      CHECK(member.as_int() >= 1);
      CHECK(member.as_int() <= 200);
    } else if (key == "share") {
      CHECK(member.as_number() >= 0);
      CHECK(member.as_number() <= 1);
    } else if (key == "names") {
      for (std::size_t i = 0; i < member.size(); ++i) CHECK(member.at(i).is_string());
    } else if (key == "parts") {
      CHECK(member.size() <= 2);
      for (std::size_t i = 0; i < member.size(); ++i) check_people(member.at(i));
    } else if (key == "note") {
      CHECK((member.is_null() || std::regex_match(member.as_string(), std::regex("[a-z]{1,4}"))));
    } else {
      CHECK(key == "kind");
    }
  });
}

/// Until the model ends its answer.
GenerateOptions greedy(std::int64_t most) {
  GenerateOptions options;
  options.max_new_tokens = most;
  options.sampling = SamplingOptions{};
  return options;
}

SamplingOptions hot(std::uint64_t seed, double temperature) {
  SamplingOptions sampling;
  sampling.do_sample = true;
  sampling.temperature = temperature;
  sampling.top_k = 0;
  sampling.seed = seed;
  return sampling;
}

}  // namespace

TEST_CASE("hot samples of the bundled model have the schema when they are complete") {
  const ModelInput input = golden::ask(bundled_model(), "Describe the picture.", "003");
  GenerateOptions options;
  options.form = OutputForm::json_schema(kPeople);
  options.max_new_tokens = 300;
  int complete = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    options.sampling = hot(seed, seed % 2 == 0 ? 1.0 : 50.0);
    const GenerateResult result = bundled_model().generate(input, options);
    INFO(result.text);
    if (result.finish_reason == FinishReason::length) {
      CHECK(options.form->begins(result.text));
      continue;
    }
    REQUIRE(result.finish_reason == FinishReason::stop);
    ++complete;
    check_people(Json::parse(result.text, "answer"));
  }
  CHECK(complete >= 20);
}

TEST_CASE("a form changes no answer that has it already") {
  std::ifstream file(golden::bundled() + "/eval/eval.jsonl");
  const OutputForm form = OutputForm::example(R"({"bbox_2d": [int, int, int, int]})");
  const std::regex box(R"(\{"bbox_2d": \[\d+, \d+, \d+, \d+\]\})");
  int same = 0, seen = 0;
  for (std::string line; std::getline(file, line) && seen < 60;) {
    const Json sample = Json::parse(line, "eval.jsonl");
    if (sample.get_string("task", "") != "grounding") continue;
    ++seen;
    std::string picture = sample.at("image").as_string();
    picture.resize(picture.size() - std::string(".png").size());
    const ModelInput input = golden::ask(bundled_model(), sample.at("prompt").as_string(), picture);
    GenerateOptions options = greedy(48);
    const GenerateResult free = bundled_model().generate(input, options);
    options.form = form;
    const GenerateResult formed = bundled_model().generate(input, options);
    CHECK(std::regex_match(formed.text, box));
    if (!std::regex_match(free.text, box)) continue;
    ++same;
    CHECK(formed.tokens == free.tokens);
    CHECK(formed.finish_reason == free.finish_reason);
  }
  CHECK(seen == 60);
  CHECK(same >= 50);
}

TEST_CASE("a question that is answered in a word is answered in the form") {
  const ModelInput input = golden::ask(bundled_model(), "What colour is the small triangle?", "000");
  GenerateOptions options = greedy(40);
  options.form = OutputForm::example(R"({"colour": "red" | "green" | "blue"})");
  const Json answer = Json::parse(bundled_model().generate(input, options).text, "answer");
  CHECK(answer.at("colour").is_string());
  const std::vector<std::string> words{"no colour", "pink"};
  options.form = OutputForm::choices(words);
  const std::string word = bundled_model().generate(input, options).text;
  CHECK((word == words[0] || word == words[1]));
  options.form = OutputForm::pattern("It is (red|green|blue)\\.");
  CHECK(std::regex_match(bundled_model().generate(input, options).text, std::regex("It is (red|green|blue)\\.")));
}

TEST_CASE("lookup and cache and batch choose the same tokens of a form") {
  const Model& model = bundled_model();
  std::vector<ModelInput> inputs;
  for (const char* picture : {"000", "001", "002"})
    inputs.push_back(golden::ask(model, "Where is the circle?", picture));
  for (const double temperature : {0.0, 3.0}) {
    GenerateOptions options;
    options.max_new_tokens = 60;
    options.sampling = hot(5, temperature);
    options.form = OutputForm::example(R"([{"bbox_2d": [int(0, 200) * 4], "label": string(0, 8)}, ...])");
    std::vector<GenerateResult> alone;
    for (const ModelInput& input : inputs) alone.push_back(model.generate(input, options));
    const std::vector<GenerateResult> together = model.generate(inputs, options);
    options.lookup = octavo::PromptLookup{};
    const std::vector<GenerateResult> guessed = model.generate(inputs, options);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      CHECK(together[i].tokens == alone[i].tokens);
      CHECK(guessed[i].tokens == alone[i].tokens);
      CHECK(model.generate(inputs[i], options).tokens == alone[i].tokens);
      CHECK(options.form->begins(alone[i].text));
    }
    options.lookup.reset();
    options.use_cache = false;
    CHECK(model.generate(inputs[0], options).tokens == alone[0].tokens);
  }
}

TEST_CASE("an answer of a form ends with the stop token or at once where there is none") {
  const Model& model = bundled_model();
  const ModelInput input = golden::ask(model, "Where is the circle?", "000");
  GenerateOptions options = greedy(40);
  options.form = OutputForm::example(R"({"bbox_2d": [int, int, int, int]})");
  const GenerateResult with_end = model.generate(input, options);
  CHECK(with_end.tokens.back() == 404);
  CHECK(with_end.finish_reason == FinishReason::stop);
  options.ignore_eos = true;
  const GenerateResult without = model.generate(input, options);
  CHECK(without.finish_reason == FinishReason::stop);
  CHECK(without.text == with_end.text);
  CHECK(without.tokens.size() + 1 == with_end.tokens.size());
  options.max_new_tokens = 5;
  const GenerateResult cut = model.generate(input, options);
  CHECK(cut.finish_reason == FinishReason::length);
  CHECK_FALSE(options.form->matches(cut.text));
  CHECK(options.form->begins(cut.text));
}

TEST_CASE("rules that leave nothing of the form are named") {
  const Model& model = bundled_model();
  const ModelInput input = golden::ask(model, "Where is the circle?", "000");
  GenerateOptions options = greedy(40);
  options.form = OutputForm::example("true");
  octavo::GenerationRules rules;
  rules.min_new_tokens = 30;
  options.rules = rules;
  CHECK(message_of([&] { model.generate(input, options); }).find("the form") != std::string::npos);
  rules = {};
  rules.forced_eos_token_ids = {404};
  options.rules = rules;
  CHECK(message_of([&] { model.generate(input, options); }).find("forced_eos_token_id") != std::string::npos);
}

TEST_CASE("a form on a session by hand gives the answer of generate") {
  const Model& model = bundled_model();
  const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
  GenerateOptions options = greedy(40);
  options.form = OutputForm::example(R"({"label": string(3, 3), "bbox_2d": [int, int, int, int]})");
  const GenerateResult expected = model.generate(input, options);
  octavo::Session session(model, static_cast<std::int64_t>(input.ids.size()) + 41);
  FormState state(*options.form, model.form_vocabulary(), {404, 402});
  octavo::Tensor logits = session.feed(input);
  std::vector<std::int32_t> tokens;
  while (tokens.empty() || tokens.back() != 404) {
    const std::span<const float> row = logits.values<float>();
    std::vector<float> scores(row.begin(), row.end());
    state.mask(scores);
    const auto best = static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    state.take(best);
    tokens.push_back(best);
    ModelInput next;
    next.ids = {best};
    logits = session.feed(next);
  }
  CHECK(tokens == expected.tokens);
}

TEST_CASE("a form needs a tokenizer") {
  const Model model = Model::open(golden::directory("flat"));
  GenerateOptions options = greedy(4);
  options.form = OutputForm::example("int");
  ModelInput input;
  input.ids = {1, 2, 3};
  try {
    model.generate(input, options);
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::not_found);
  }
}
