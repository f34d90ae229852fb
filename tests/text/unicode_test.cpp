// Tokens do not depend on the distribution: where Unicode's tables or the flags of an added token decide, ids are those
// of Hugging Face's tokenizers. tests/interop/tokens_check.py asks the library itself, of every code point.
#include "catch.hpp"
#include "golden.hpp"
#include "scratch.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

const Json& unicode() {
  static const Json json = Json::read_file(text_path("unicode.json"));
  return json;
}

void check_texts(const Tokenizer& tokenizer, const Json& texts) {
  REQUIRE(texts.size() > 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string text = texts.at(i).at(std::size_t{0}).as_string();
    INFO("text " << i << ": " << text);
    CHECK(tokenizer.encode(text) == ids_from(texts.at(i).at(std::size_t{1})));
  }
}

}  // namespace

TEST_CASE("old and new code points - Hangul and marks make the reference's ids", "[text]") {
  check_texts(Tokenizer::open(bundled_path("")), unicode().at("texts"));
}

TEST_CASE("added tokens are found as the reference finds them whatever their flags", "[text]") {
  const ::test::ScratchDirectory scratch;
  const Json sets = unicode().at("added");
  REQUIRE(sets.size() >= 40);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    INFO("set " << i << ": " << sets.at(i).at("added_tokens").dump());
    JsonBuilder whole(Json::read_file(bundled_path("tokenizer.json")));
    whole.set("added_tokens", JsonBuilder(sets.at(i).at("added_tokens")));
    if (!sets.at(i).at("composes").as_bool()) whole.set("normalizer", nullptr);
    check_texts(Tokenizer::from_tokenizer_json(scratch.write("tokenizer.json", whole.dump())), sets.at(i).at("texts"));
  }
}

TEST_CASE("a normalised added token matches the decomposed and the composed text", "[text]") {
  const ::test::ScratchDirectory scratch;
  JsonBuilder whole(Json::read_file(bundled_path("tokenizer.json")));
  const auto with = [&](const char* content, bool normalized) {
    whole.set("added_tokens",
              JsonBuilder::array().push(
                  JsonBuilder::object().set("id", 402).set("content", content).set("normalized", normalized)));
    return Tokenizer::from_tokenizer_json(scratch.write("tokenizer.json", whole.dump()));
  };
  const std::vector<std::int32_t> added{402};
  REQUIRE(with("caf\u00e9", true).encode("cafe\u0301") == added);
  REQUIRE(with("cafe\u0301", true).encode("caf\u00e9") == added);
  REQUIRE(with("caf\u00e9", false).encode("caf\u00e9") == added);
  REQUIRE(with("caf\u00e9", false).encode("cafe\u0301") != added);
}

TEST_CASE("a token whose text another one has taken in is not found again", "[text]") {
  const ::test::ScratchDirectory scratch;
  JsonBuilder whole(Json::read_file(bundled_path("tokenizer.json")));
  JsonBuilder space = JsonBuilder::object();
  space.set("id", 402).set("content", " ").set("lstrip", true).set("rstrip", true).set("normalized", false);
  whole.set("added_tokens", JsonBuilder::array().push(std::move(space)));
  const Tokenizer tokenizer = Tokenizer::from_tokenizer_json(scratch.write("tokenizer.json", whole.dump()));
  CHECK(tokenizer.encode("   xa") == std::vector<std::int32_t>{402, 87, 64});  // of tokenizers 0.23.3
}

TEST_CASE("special tokens inside a literal range are text and others are not", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(bundled_path(""));
  const std::string text = "<|im_end|>a<|im_end|><tool_call>";
  const std::int32_t end = *tokenizer.token_to_id("<|im_end|>");
  const std::int32_t call = *tokenizer.token_to_id("<tool_call>");
  const auto count = [&](std::span<const TextRange> literal, std::int32_t id) {
    const std::vector<std::int32_t> ids = tokenizer.encode(text, literal);
    CHECK(tokenizer.decode(ids) == text);
    return std::count(ids.begin(), ids.end(), id);
  };
  CHECK(count({}, end) == 2);
  const TextRange second{11, text.size()};
  CHECK(count({&second, 1}, end) == 1);
  CHECK(count({&second, 1}, call) == 1);  // not special: as transformers' split_special_tokens
  const TextRange all{0, text.size()};
  CHECK(count({&all, 1}, end) == 0);
  const TextRange touching{3, 4};  // a token that begins outside speaks with the user's letters: text
  CHECK(count({&touching, 1}, end) == 1);
}
