// The automaton under its forms: what it forgets, and what ambiguity may cost.
#include "automaton.hpp"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "json_grammar.hpp"
#include "octavo/error.hpp"
#include "octavo/output_form.hpp"
#include "schema.hpp"

using octavo::Error;
using octavo::ErrorCode;
using octavo::FormState;
using octavo::FormVocabulary;
using octavo::OutputForm;
using octavo::output_form::Automaton;
using octavo::output_form::kNowhere;
using octavo::output_form::PositionId;

TEST_CASE("an automaton that forgets goes on as one that does not") {
  const auto grammar = std::make_shared<const octavo::output_form::Grammar>(octavo::output_form::json_grammar(
      octavo::output_form::read_schema(R"({"anyOf": [{"type": "array", "items": {"$ref": "#"}},
          {"type": "array", "items": {"$ref": "#"}, "minItems": 2}, {"type": "string", "maxLength": 3}, {"const": 12}]})"),
      {}));
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    Automaton whole(grammar), forgetful(grammar);
    PositionId at = whole.begin();
    std::vector<PositionId> kept{forgetful.begin()};  // of the text so far; the last is where it is
    for (int step = 0; step < 200; ++step) {
      std::vector<std::uint8_t> bytes;
      for (int byte = 0; byte < 256; ++byte)
        if (whole.next(at, static_cast<std::uint8_t>(byte)) != kNowhere)
          bytes.push_back(static_cast<std::uint8_t>(byte));
      if (bytes.empty()) break;
      const std::uint8_t byte = bytes[random() % bytes.size()];
      for (int other = 0; other < 256; ++other)
        REQUIRE((forgetful.next(kept.back(), static_cast<std::uint8_t>(other)) == kNowhere) ==
                (whole.next(at, static_cast<std::uint8_t>(other)) == kNowhere));
      at = whole.next(at, byte);
      kept.push_back(forgetful.next(kept.back(), byte));
      REQUIRE(forgetful.complete(kept.back()) == whole.complete(at));
      REQUIRE(forgetful.exhausted(kept.back()) == whole.exhausted(at));
      if (random() % 3 == 0) {
        if (kept.size() > 4) kept.erase(kept.begin(), kept.end() - 3);
        forgetful.forget(kept);
      }
    }
  }
}

TEST_CASE("a form that can be read in too many ways is an error within a second") {
  // Where each x began is another reading of all that follows.
  const OutputForm form = OutputForm::pattern("[xy]*x[xy]{20000}");
  std::vector<std::string> tokens;
  std::mt19937 random(5);
  for (int i = 0; i < 50000; ++i) {
    std::string token;
    for (int length = 0; length < 12; ++length) token += random() % 2 == 0 ? 'x' : 'y';
    tokens.push_back(token);
  }
  FormState state(form, FormVocabulary(tokens), {});
  for (std::int32_t id = 0; id < 300; ++id) state.take(id);
  std::vector<float> logits(tokens.size());
  ErrorCode code{};
  try {
    state.mask(logits);
  } catch (const Error& error) {
    code = error.code();
  }
  CHECK(code == ErrorCode::unsupported);
}

TEST_CASE("long sequences of what may be left out take no long to read") {
  std::string expression;
  for (int i = 0; i < 15000; ++i) expression += "a?";
  CHECK(OutputForm::pattern(expression).matches("aaa"));
  std::string characters = "[";
  for (int i = 0; i < 60000; ++i) characters += "\\u{" + std::to_string(10000 + (i * 7919) % 60000) + "}";
  CHECK(OutputForm::pattern(characters + "]").states() > 10);
}
