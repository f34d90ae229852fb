// Token ids and decoded text against Hugging Face's tokenizers, on prose in many scripts, code, emoji, white space,
// special tokens and random strings.
#include <chrono>
#include <iostream>

#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

TEST_CASE("encode gives the reference's ids on the whole corpus", "[text]") {
  REQUIRE(texts().size() > 1500);
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name).at("ids");
    std::size_t differing = 0;
    for (std::size_t i = 0; i < texts().size(); ++i) {
      INFO(reference.name << " entry " << i << ": " << texts()[i]);
      const bool same = reference.tokenizer.encode(texts()[i]) == ids_from(expected.at(i));
      CHECK(same);
      differing += same ? 0 : 1;
    }
    REQUIRE(differing == 0);
  }
}

TEST_CASE("decode gives the reference's text, with and without special tokens", "[text]") {
  const Json composed = golden().at("composed");
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name);
    for (std::size_t i = 0; i < texts().size(); ++i) {
      INFO(reference.name << " entry " << i);
      const std::vector<std::int32_t> ids = ids_from(expected.at("ids").at(i));
      const std::string kept = or_else(expected.at("decoded"), i, or_else(composed, i, texts()[i]));
      REQUIRE(reference.tokenizer.decode(ids, false) == kept);
      REQUIRE(reference.tokenizer.decode(ids, true) == or_else(expected.at("decoded_skip"), i, kept));
    }
  }
}

TEST_CASE("decode replaces invalid bytes as the reference does", "[text]") {
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name);
    for (std::size_t i = 0; i < expected.at("loose_ids").size(); ++i) {
      INFO(reference.name << " entry " << i);
      REQUIRE(reference.tokenizer.decode(ids_from(expected.at("loose_ids").at(i))) ==
              expected.at("loose_decoded").at(i).as_string());
    }
  }
}

TEST_CASE("ids outside the vocabulary decode to nothing", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(text_path(""));
  const std::int32_t a = *tokenizer.token_to_id("a");
  REQUIRE(tokenizer.decode(std::vector<std::int32_t>{a, -1, tokenizer.size(), 1 << 30, a}) == "aa");
  REQUIRE(tokenizer.token_bytes(-1).empty());
  REQUIRE_FALSE(tokenizer.is_special(-1));
  REQUIRE_FALSE(tokenizer.is_special(tokenizer.size()));
}

TEST_CASE("special and plain added tokens are told apart", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(text_path(""));
  REQUIRE(tokenizer.is_special(*tokenizer.token_to_id("<|im_end|>")));
  REQUIRE_FALSE(tokenizer.is_special(*tokenizer.token_to_id("<tool_call>")));
  REQUIRE_FALSE(tokenizer.token_to_id("<|absent|>").has_value());
}

TEST_CASE("encode refuses invalid UTF-8 and names the byte", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(text_path(""));
  for (const char* tail : {"\xFF", "\xC0\xAF", "\xE4\xB8", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"})
    REQUIRE_THROWS_WITH(tokenizer.encode(std::string("ab") + tail), "the text is not valid UTF-8 at byte 2");
}

TEST_CASE("the time of a long run of letters grows no faster than n log n", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(text_path(""));
  const auto seconds = [&](std::size_t length) {
    std::string letters;
    for (std::size_t i = 0; i < length; ++i) letters += static_cast<char>('a' + i * i % 26);
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(!tokenizer.encode(letters).empty());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  // A million letters: quadratic work would take hours.
  REQUIRE(seconds(1'000'000) < 60);
}

TEST_CASE("what was compared, in numbers", "[text][report]") {
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name).at("ids");
    std::size_t ids = 0;
    std::size_t differing = 0;
    for (std::size_t i = 0; i < texts().size(); ++i) {
      ids += expected.at(i).size();
      differing += reference.tokenizer.encode(texts()[i]) == ids_from(expected.at(i)) ? 0 : 1;
    }
    std::cout << "[report] tokenizer " << reference.name << ": " << texts().size() << " texts, " << ids << " ids, "
              << differing << " texts differ from tokenizers " << golden().at("versions").at("tokenizers").as_string()
              << "\n";
    REQUIRE(differing == 0);
  }
}
