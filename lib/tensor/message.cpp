#include "octavo/message.hpp"

#include <algorithm>

namespace octavo {
namespace {

/// Bytes of the UTF-8 character that `text` begins with; 0 where it begins with none (RFC 3629).
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || beyond ? 0 : length;
}

void append_escaped(std::string& text, char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(byte);
  text += "\\x";
  text += kHex[code >> 4U];
  text += kHex[code & 15U];
}

void append_readable(std::string& text, std::string_view character) {
  const char first = character.front();
  const bool control = (first >= 0 && first < 0x20) || first == 0x7F ||
                       (first == '\xC2' && static_cast<unsigned char>(character.back()) < 0xA0);
  if (first == '\n')
    text += "\\n";
  else if (first == '\t')
    text += "\\t";
  else if (control)
    append_escaped(text, character.back());
  else
    text += character;
}

}  // namespace

std::string shortened(std::string_view value, std::size_t most) {
  std::string text;
  text.reserve(std::min(value.size(), most) + 32);
  std::size_t characters = 0;
  while (!value.empty()) {
    const std::size_t length = character_length(value);
    if (++characters <= most) {
      if (length == 0)
        append_escaped(text, value.front());
      else
        append_readable(text, value.substr(0, length));
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (characters > most) text += "... (" + std::to_string(characters) + " characters)";
  return text;
}

std::string in_quotes(std::string_view value) { return "\"" + shortened(value) + "\""; }

std::string quoted_list(std::span<const std::string> values, std::size_t most) {
  std::string list;
  for (std::size_t i = 0; i < std::min(values.size(), most); ++i) list += (i == 0 ? "" : ", ") + in_quotes(values[i]);
  if (values.size() > most) list += " and " + std::to_string(values.size() - most) + " more";
  return list;
}

}  // namespace octavo
