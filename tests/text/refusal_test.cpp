// Tokenizers of another kind are refused instead of giving other tokens without a word.

#include "catch.hpp"
#include "golden.hpp"
#include "scratch.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

std::string write(const std::string& name, const std::string& content) {
  static const ::test::ScratchDirectory scratch;
  return scratch.write(name, content);
}

// The small tokenizer with one of its members replaced.
std::string changed(const std::string& name, const std::string& key, JsonBuilder value) {
  JsonBuilder whole(Json::read_file(text_path("tokenizer.json")));
  whole.set(key, std::move(value));
  return write(name, whole.dump());
}

JsonBuilder model_with(const std::string& key, JsonBuilder value) {
  JsonBuilder model(Json::read_file(text_path("tokenizer.json")).at("model"));
  model.set(key, std::move(value));
  return model;
}

}  // namespace

TEST_CASE("another pre-tokenizer, normalizer or model is refused", "[text]") {
  const auto typed = [](const char* type) { return JsonBuilder::object().set("type", type); };
  std::string path = changed("pre.json", "pre_tokenizer", typed("Whitespace"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": pre_tokenizer is not Qwen's split; other tokenizers are not supported");
  path = changed("nfkc.json", "normalizer", typed("NFKC"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path), path + ": normalizer is NFKC, only NFC is supported");
  path = changed("unigram.json", "model", model_with("type", "Unigram"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path), path + ": model.type is Unigram, only BPE is supported");
  path = changed("fallback.json", "model", model_with("byte_fallback", true));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": model.byte_fallback and model.ignore_merges are not supported");
}

TEST_CASE("an added token that consumes its surroundings is refused", "[text]") {
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    JsonBuilder token = JsonBuilder::object().set("id", 1000).set("content", "<x>").set(flag, true);
    const std::string path = changed("flag.json", "added_tokens", JsonBuilder::array().push(std::move(token)));
    REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                        path + ": added_tokens[0]: the added token \"<x>\" has " + flag + ", which is not supported");
  }
}

TEST_CASE("merges may be strings", "[text]") {
  const Json merges = Json::read_file(text_path("tokenizer.json")).at("model").at("merges");
  JsonBuilder strings = JsonBuilder::array();
  for (std::size_t i = 0; i < merges.size(); ++i)
    strings.push(merges.at(i).at(std::size_t{0}).as_string() + " " + merges.at(i).at(std::size_t{1}).as_string());
  const Tokenizer tokenizer =
      Tokenizer::from_tokenizer_json(changed("strings.json", "model", model_with("merges", std::move(strings))));
  const Json expected = golden().at("small").at("ids");
  for (std::size_t i = 0; i < texts().size(); ++i) REQUIRE(tokenizer.encode(texts()[i]) == ids_from(expected.at(i)));
}

TEST_CASE("damaged merges, ids and files are named", "[text]") {
  std::string path = changed("merge.json", "model", model_with("merges", JsonBuilder::array().push("a b c")));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": the merge \"a b c\" is not two symbols with a space between");
  path = changed("merge2.json", "model", model_with("merges", JsonBuilder::array().push("zq qz")));
  REQUIRE_THROWS_AS(Tokenizer::from_tokenizer_json(path), Error);
  path = changed("vocab.json", "model", model_with("vocab", JsonBuilder::object().set("a", std::int64_t{1} << 40)));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": model.vocab.a: the token id 1099511627776 is out of range");
  path = changed("bytes.json", "model", model_with("vocab", JsonBuilder::object().set("a", 1)));
  REQUIRE_THROWS_AS(Tokenizer::from_tokenizer_json(path), Error);
  for (const char* content : {"", "{", "[]", "{\"model\":3}", "\xFF\xFE"})
    REQUIRE_THROWS_AS(Tokenizer::from_tokenizer_json(write("bad.json", content)), Error);
  REQUIRE_THROWS_WITH(Tokenizer::open("/nowhere"),
                      "/nowhere: no tokenizer: neither tokenizer.json nor vocab.json with merges.txt is there");
}
