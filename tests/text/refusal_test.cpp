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

TEST_CASE("steps that would change tokens without a word are refused", "[text]") {
  const auto typed = [](const char* type) { return JsonBuilder::object().set("type", type); };
  std::string path = changed("post.json", "post_processor", typed("TemplateProcessing"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path +
                          ": post_processor is TemplateProcessing, which adds tokens around a text; only ByteLevel "
                          "is supported");
  path = changed("decoder.json", "decoder", typed("WordPiece"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": decoder is WordPiece, only ByteLevel is supported");
  path = changed("dropout.json", "model", model_with("dropout", 0.1));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": model.dropout draws other tokens each time, which is not supported");
  path = changed("suffix.json", "model", model_with("end_of_word_suffix", "</w>"));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path), path + ": model.end_of_word_suffix is not supported");
  JsonBuilder nested = typed("Sequence");
  nested.set("normalizers", JsonBuilder::array().push(typed("NFC")).push(typed("Lowercase")));
  path = changed("sequence.json", "normalizer", std::move(nested));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path), path + ": normalizer is Lowercase, only NFC is supported");
  JsonBuilder pre(Json::read_file(text_path("tokenizer.json")).at("pre_tokenizer"));
  pre.set(
      "pretokenizers",
      JsonBuilder::array().push(JsonBuilder(
          Json::read_file(text_path("tokenizer.json")).at("pre_tokenizer").at("pretokenizers").at(std::size_t{0}))));
  path = changed("level.json", "pre_tokenizer", std::move(pre));
  REQUIRE_THROWS_WITH(Tokenizer::from_tokenizer_json(path),
                      path + ": pre_tokenizer is not Qwen's split; other tokenizers are not supported");
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
