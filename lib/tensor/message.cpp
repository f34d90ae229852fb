#include "octavo/message.hpp"

#include <algorithm>

namespace octavo {
namespace {

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

void append_escaped(std::string& text, char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(byte);
  if (byte == '\n') {
    text += "\\n";
  } else if (byte == '\t') {
    text += "\\t";
  } else if (code < 0x20 || code == 0x7F) {
    text += "\\x";
    text += kHex[code >> 4U];
    text += kHex[code & 15U];
  } else {
    text += byte;
  }
}

}  // namespace

std::string shortened(std::string_view value, std::size_t most) {
  std::string text;
  text.reserve(std::min(value.size(), most) + 32);
  std::size_t characters = 0;
  for (const char byte : value) {
    if (starts_character(byte)) ++characters;
    if (characters <= most) append_escaped(text, byte);
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
