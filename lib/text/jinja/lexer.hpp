// The source of a template as tokens: text between tags, with white space already removed as the tags ask, and the
// symbols inside tags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octavo::text::jinja {

struct Token {
  enum class Kind : std::uint8_t {
    text,
    open_output,
    close_output,
    open_block,
    close_block,
    name,
    string,
    integer,
    number,
    symbol,
    end
  };
  Kind kind = Kind::end;
  int line = 1;
  std::string text;  // literals: their value
};

/// As transformers sets Jinja up: trim_blocks and lstrip_blocks on, keep_trailing_newline off.
std::vector<Token> tokenize(std::string_view source);

[[noreturn]] void syntax_error(int line, const std::string& what);
[[noreturn]] void not_supported(int line, const std::string& what);

}  // namespace octavo::text::jinja
