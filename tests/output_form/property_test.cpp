// Random schemas: what a random walk over the allowed tokens writes has the schema, and every value that has it can be
// written, token by token, however its text is cut.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/output_form.hpp"
#include "random_schema.hpp"

using octavo::Error;
using octavo::FormState;
using octavo::FormVocabulary;
using octavo::Json;
using octavo::OutputForm;

namespace {

constexpr std::int32_t kEnd = 256;

/// Every byte, the end, and pieces as byte pairs make them.
std::vector<std::string> tokens() {
  std::vector<std::string> made;
  for (int byte = 0; byte < 256; ++byte) made.emplace_back(1, static_cast<char>(byte));
  made.emplace_back();
  for (const char* piece :
       {"{\"", "\": ", "\": [",     ", \"", "\"}", "]}",    "}}",      "], [",     "null",     "true",
        "12",  "-1",   "0.5",       "ab1",  "key", "\\u00", "\\ud83d", "\xC3\xA9", "\x9F\x98", "\xA9\"",
        "[]",  "{}",   "\\n\", \"", ": -",  "e+1", "00",    "1, ",     ", ",       "\n",       "  "})
    made.emplace_back(piece);
  return made;
}

/// A walk that prefers what ends the text, more and more.
std::string walk(FormState state, const std::vector<std::string>& vocabulary, schemas::Random& random) {
  std::string written;
  std::vector<float> logits(vocabulary.size());
  for (int step = 0;; ++step) {
    std::fill(logits.begin(), logits.end(), 0.0F);
    state.mask(logits);
    std::vector<std::int32_t> ids;
    for (std::size_t id = 0; id < logits.size(); ++id)
      if (!std::isinf(logits[id])) ids.push_back(static_cast<std::int32_t>(id));
    if (!std::isinf(logits[kEnd]) && (ids.size() == 1 || random.chance(30))) return written;
    std::int32_t id = ids[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(ids.size())))];
    if (id == kEnd) return written;
    if (step > 60 || random.chance(40)) {
      for (const char closing : {'"', ']', '}', 'n', '0'})
        if (std::find(ids.begin(), ids.end(), closing) != ids.end()) {
          id = closing;
          break;
        }
    }
    state.take(id);
    written += vocabulary[static_cast<std::size_t>(id)];
    if (step == 20000) return "";
  }
}

}  // namespace

TEST_CASE("whatever random tokens write has the random schema") {
  const std::vector<std::string> vocabulary = tokens();
  const FormVocabulary tree(vocabulary);
  int complete = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    schemas::Random random(seed);
    const Json schema = random.document();
    INFO(seed << " " << schema.dump());
    const OutputForm form = OutputForm::json_schema(schema.dump());
    for (int i = 0; i < 4; ++i) {
      const std::string text = walk(FormState(form, tree, {kEnd}), vocabulary, random);
      if (text.empty()) continue;
      INFO(text);
      Json value;
      try {
        value = Json::parse(text, "answer");
      } catch (const Error& error) {
        // The one thing that a form does not see to, where a schema allows any keys: the same key twice.
        INFO(error.what());
        REQUIRE(std::string(error.what()).find("twice") != std::string::npos);
        continue;
      }
      ++complete;
      REQUIRE(schemas::valid(schema, schema, value));
    }
  }
  CHECK(complete > 2000);
}

TEST_CASE("every value of a random schema may be written, however it is cut into tokens") {
  const std::vector<std::string> vocabulary = tokens();
  const FormVocabulary tree(vocabulary);
  for (std::uint64_t seed = 1000; seed < 1600; ++seed) {
    schemas::Random random(seed);
    const Json schema = random.document();
    const OutputForm form = OutputForm::json_schema(schema.dump());
    for (int i = 0; i < 4; ++i) {
      const std::string text = random.value(schema, schema, 3, random.chance(50));
      INFO(seed << " " << schema.dump() << "\n" << text);
      REQUIRE(schemas::valid(schema, schema, Json::parse(text, "value")));  // the generator keeps its word
      FormState state(form, tree, {kEnd});
      std::vector<float> logits(vocabulary.size());
      for (std::size_t at = 0; at < text.size();) {
        std::vector<std::int32_t> fitting;
        for (std::size_t id = 0; id < vocabulary.size(); ++id)
          if (!vocabulary[id].empty() && text.compare(at, vocabulary[id].size(), vocabulary[id]) == 0)
            fitting.push_back(static_cast<std::int32_t>(id));
        std::fill(logits.begin(), logits.end(), 0.0F);
        state.mask(logits);
        for (const std::int32_t id : fitting) {
          INFO("token " << vocabulary[static_cast<std::size_t>(id)] << " at " << at);
          REQUIRE(logits[static_cast<std::size_t>(id)] == 0);
        }
        const std::int32_t id =
            fitting[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(fitting.size())))];
        state.take(id);
        at += vocabulary[static_cast<std::size_t>(id)].size();
      }
      REQUIRE(state.complete());
    }
  }
}

TEST_CASE("a copy goes on by itself") {
  const std::vector<std::string> vocabulary = tokens();
  FormState state(OutputForm::json_schema("{}"), FormVocabulary(vocabulary), {kEnd});
  state.take('[');
  FormState copy = state;
  copy.take(']');
  CHECK(copy.exhausted());
  CHECK_FALSE(state.complete());
  state = copy;
  CHECK(state.exhausted());
}
