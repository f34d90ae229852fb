#include "octavo/message.hpp"

#include <string>

#include "catch.hpp"

using octavo::in_quotes;
using octavo::shortened;

TEST_CASE("a message shows control characters and bytes that are no UTF-8 as Python does") {
  CHECK(shortened("a\nb\tc\x1b[31m") == "a\\nb\\tc\\x1b[31m");
  CHECK(in_quotes("\x7f\r") == "\"\\x7f\\x0d\"");
  CHECK(shortened("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  CHECK(shortened("\xC2\x9B") == "\\x9b");       // U+009B begins a terminal's commands as ESC [ does
  CHECK(shortened("\xFF\xC3") == "\\xff\\xc3");  // no character; one that is cut
  CHECK(shortened("\xC0\xAF\xED\xA0\x80\xF4\x90\x80\x80") == "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
}

TEST_CASE("a message is short whatever it is told") {
  CHECK(shortened("\xC3\xA9\xC3\xA9\xC3\xA9", 2) == "\xC3\xA9\xC3\xA9... (3 characters)");
  CHECK(shortened("ab", 2) == "ab");
  CHECK(shortened(std::string(100'000, '\x80'), 3) == "\\x80\\x80\\x80... (100000 characters)");
}
