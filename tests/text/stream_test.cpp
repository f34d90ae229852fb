// Streaming never splits a character and loses nothing.
#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

// RFC 3629 by its table, independent of the library's own reading.
bool is_valid_utf8(const std::string& text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return at(i) >= 0x80 && at(i) <= 0xBF; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned first = at(i);
    const unsigned second = at(i + 1);
    if (first <= 0x7F)
      i += 1;
    else if (first >= 0xC2 && first <= 0xDF && tail(i + 1))
      i += 2;
    else if (((first == 0xE0 && second >= 0xA0) || (first >= 0xE1 && first <= 0xEC) ||
              (first == 0xED && second < 0xA0) || first == 0xEE || first == 0xEF) &&
             tail(i + 1) && tail(i + 2))
      i += 3;
    else if (((first == 0xF0 && second >= 0x90) || (first >= 0xF1 && first <= 0xF3) ||
              (first == 0xF4 && second < 0x90)) &&
             tail(i + 1) && tail(i + 2) && tail(i + 3))
      i += 4;
    else
      return false;
  }
  return true;
}

void stream(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, const std::string& whole, bool skip) {
  StreamDecoder decoder(tokenizer, skip);
  std::string text;
  for (const std::int32_t id : ids) {
    const std::string piece = decoder.push(id);
    REQUIRE(is_valid_utf8(piece));
    text += piece;
  }
  text += decoder.finish();
  REQUIRE(text == whole);
  REQUIRE(decoder.finish().empty());
}

}  // namespace

TEST_CASE("every corpus entry streams in valid pieces that add up to the reference's text", "[text]") {
  const Json composed = golden().at("composed");
  for (const Reference& reference : references()) {
    const Json expected = golden().at(reference.name);
    for (std::size_t i = 0; i < texts().size(); ++i) {
      INFO(reference.name << " entry " << i);
      const std::vector<std::int32_t> ids = ids_from(expected.at("ids").at(i));
      const std::string kept = or_else(expected.at("decoded"), i, or_else(composed, i, texts()[i]));
      stream(reference.tokenizer, ids, kept, false);
      stream(reference.tokenizer, ids, or_else(expected.at("decoded_skip"), i, kept), true);
    }
    for (std::size_t i = 0; i < expected.at("loose_ids").size(); ++i)
      stream(reference.tokenizer, ids_from(expected.at("loose_ids").at(i)),
             expected.at("loose_decoded").at(i).as_string(), false);
  }
}

TEST_CASE("a character in four tokens is held back until its last", "[text]") {
  const Tokenizer tokenizer = Tokenizer::open(text_path(""));
  // The four bytes of U+1F600 in the byte alphabet: F0 9F 98 80.
  std::vector<std::int32_t> ids;
  for (const char* symbol : {"ð", "Ł", "ĺ", "Ģ"}) ids.push_back(*tokenizer.token_to_id(symbol));
  StreamDecoder decoder(tokenizer);
  REQUIRE(decoder.push(ids[0]).empty());
  REQUIRE(decoder.push(ids[1]).empty());
  REQUIRE(decoder.push(ids[2]).empty());
  REQUIRE(decoder.push(ids[3]) == "😀");
  REQUIRE(decoder.push(ids[0]).empty());
  REQUIRE(decoder.push(ids[1]).empty());
  REQUIRE(decoder.finish() == "\xEF\xBF\xBD");
}
