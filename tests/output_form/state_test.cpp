// Masks over vocabularies, against what can be worked out without an automaton.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/output_form.hpp"

using octavo::Error;
using octavo::ErrorCode;
using octavo::FormState;
using octavo::FormVocabulary;
using octavo::OutputForm;

namespace {

std::vector<std::int32_t> allowed(const FormState& state, std::size_t vocab) {
  std::vector<float> logits(vocab, 1.0F);
  state.mask(logits);
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < vocab; ++id)
    if (!std::isinf(logits[id])) ids.push_back(static_cast<std::int32_t>(id));
  return ids;
}

ErrorCode code_of(const std::function<void()>& job) {
  try {
    job();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("not refused");
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("masks of random choices over random vocabularies are those of prefixes") {
  std::mt19937 random(7);
  const auto text = [&](std::size_t longest) {
    // Few letters, and bytes of characters that a token may halve.
    static const std::vector<std::string> letters{"a", "b", "\xC3\xA9", "\xC3\xA8", "\xF0\x9F\x98\x80"};
    std::string made;
    for (std::size_t i = 1 + random() % longest; i > 0; --i) made += letters[random() % letters.size()];
    return made;
  };
  for (int round = 0; round < 60; ++round) {
    std::set<std::string> texts;
    while (texts.size() < 1 + random() % 12) texts.insert(text(5));
    const std::vector<std::string> choices(texts.begin(), texts.end());
    std::vector<std::string> tokens{"", "a", "b", "\xC3", "\xA9", "\xA8", "\xF0", "\x9F", "\x98", "\x80"};
    while (tokens.size() < 40) {
      const std::string whole = text(4);
      const std::size_t begin = random() % whole.size();
      tokens.push_back(whole.substr(begin, 1 + random() % (whole.size() - begin)));  // also twice the same
    }
    const std::int32_t end = 5;  // a text by itself, and yet only the end
    FormState state(OutputForm::choices(choices), FormVocabulary(tokens), {end, 41});
    std::string written;
    for (;;) {
      const bool whole = texts.count(written) == 1;
      std::vector<std::int32_t> expected;
      for (std::size_t id = 0; id < 43; ++id) {  // beyond the vocabulary, too
        const bool ends = id == end || id == 41;
        const bool goes_on = !ends && id < tokens.size() && !tokens[id].empty() &&
                             std::any_of(choices.begin(), choices.end(), [&](const std::string& choice) {
                               return choice.rfind(written + tokens[id], 0) == 0;
                             });
        if (ends ? whole : goes_on) expected.push_back(static_cast<std::int32_t>(id));
      }
      CHECK(state.complete() == whole);
      if (expected.empty()) {  // a byte that the vocabulary lacks as a token: the end's
        CHECK(code_of([&] { allowed(state, 43); }) == ErrorCode::unsupported);
        break;
      }
      REQUIRE(allowed(state, 43) == expected);
      const std::int32_t id = expected[random() % expected.size()];
      for (std::int32_t other = 0; other < 43; ++other)
        if (std::find(expected.begin(), expected.end(), other) == expected.end()) {
          FormState copy = state;
          CHECK(code_of([&] { copy.take(other); }) == ErrorCode::invalid_argument);
        }
      state.take(id);
      if (id == end || id == 41) break;
      written += tokens[static_cast<std::size_t>(id)];
    }
  }
}

TEST_CASE("a token may span several parts of a form") {
  const std::vector<std::string> tokens{"{\"", "a", "\": [", "1", "1, 2", "2]}", ", ", "]}", "\": [1, 2]}", "}"};
  FormState state(OutputForm::example(R"({"a": [int, int]})"), FormVocabulary(tokens), {});
  CHECK(allowed(state, 10) == std::vector<std::int32_t>{0});
  state.take(0);
  state.take(1);
  CHECK(allowed(state, 10) == std::vector<std::int32_t>{2, 8});
  FormState other = state;
  other.take(8);
  CHECK(other.exhausted());
  state.take(2);
  CHECK(allowed(state, 10) == std::vector<std::int32_t>{3, 4});
  state.take(4);
  CHECK(allowed(state, 10) == std::vector<std::int32_t>{3, 5, 7});
  state.take(7);
  CHECK(state.complete());
  CHECK(state.exhausted());
  CHECK(code_of([&] { allowed(state, 10); }) == ErrorCode::unsupported);  // there is no end token
}

TEST_CASE("an end is forced when nothing else may follow and allowed when the text is complete") {
  const std::vector<std::string> tokens{"1", "2", ""};
  FormState state(OutputForm::example("int(1, 12)"), FormVocabulary(tokens), {2});
  CHECK(allowed(state, 3) == std::vector<std::int32_t>{0, 1});
  CHECK(code_of([&] { state.take(2); }) == ErrorCode::invalid_argument);
  state.take(0);
  CHECK(allowed(state, 3) == std::vector<std::int32_t>{0, 1, 2});
  CHECK_FALSE(state.exhausted());
  state.take(1);
  CHECK(allowed(state, 3) == std::vector<std::int32_t>{2});
  CHECK(state.exhausted());
}
