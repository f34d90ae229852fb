#include "characters.hpp"

namespace octavo::pattern_detail {
namespace {

/// @throws SyntaxError  for bytes that are not UTF-8.
std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || i + length > text.size()) throw SyntaxError("it is not UTF-8");
    char32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xC0U) != 0x80U) throw SyntaxError("it is not UTF-8");
      point = point << 6U | (byte & 0x3FU);
    }
    points += point;
    i += length;
  }
  return points;
}

}  // namespace

CharacterReader::CharacterReader(std::string_view expression) : in_(code_points(expression)) {}

void CharacterReader::write_literal(char32_t c) {
  const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  if (plain) {
    out_ += static_cast<char>(c);
  } else if (c > ' ' && c < 0x7F) {
    out_ += '\\';
    out_ += static_cast<char>(c);
  } else {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string code;
    for (std::uint32_t rest = c; rest != 0 || code.empty(); rest >>= 4U) code.insert(code.begin(), kHex[rest & 15U]);
    out_ += "\\x{" + code + "}";
  }
}

char32_t CharacterReader::hexadecimal(std::size_t length) {
  const auto hex = [](char32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  const std::string found = digits(length, hex);
  if (found.size() != length) fail("incomplete escape");
  const unsigned long value = std::stoul(found, nullptr, 16);
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("an escape that is no character");
  return static_cast<char32_t>(value);
}

std::optional<Escape> CharacterReader::common_escape(char32_t c) {
  switch (c) {
    case 'a':
      return Escape{U'\a', "", false, kOne};
    case 'f':
      return Escape{U'\f', "", false, kOne};
    case 'n':
      return Escape{U'\n', "", false, kOne};
    case 'r':
      return Escape{U'\r', "", false, kOne};
    case 't':
      return Escape{U'\t', "", false, kOne};
    case 'v':
      return Escape{U'\v', "", false, kOne};
    case 'd':
    case 'D':
    case 's':
    case 'S':
    case 'w':
    case 'W':
      return Escape{{}, std::string("\\") + static_cast<char>(c), false, kOne};
    case 'x':
      return Escape{hexadecimal(2), "", false, kOne};
    case 'u':
      return Escape{hexadecimal(4), "", false, kOne};
    case 'U':
      return Escape{hexadecimal(8), "", false, kOne};
    case 'N':
      fail("\\N{...}, a character by its name, is not supported");
    default:
      return {};
  }
}

Escape CharacterReader::class_escape() {
  const char32_t c = take("bad escape (end of pattern)");
  if (c == 'b') return {U'\b', "", false, kOne};
  if (const auto known = common_escape(c)) return *known;
  if (octal(c)) {
    const std::string number = static_cast<char>(c) + digits(2, octal);
    const unsigned long value = std::stoul(number, nullptr, 8);
    if (value > 0377) fail("octal escape value outside of range 0-0o377");
    return {static_cast<char32_t>(value), "", false, kOne};
  }
  if (letter(c) || (c >= '0' && c <= '9')) fail("bad escape");
  return {c, "", false, kOne};
}

Escape CharacterReader::class_member() {
  const char32_t c = take("unterminated character set");
  return c == '\\' ? class_escape() : Escape{c, "", false, kOne};
}

void CharacterReader::write_member(const Escape& member) {
  if (member.literal) write_literal(*member.literal);
  out_ += member.written;
}

void CharacterReader::character_class() {
  out_ += '[';
  if (skip('^')) out_ += '^';
  for (bool empty = true;; empty = false) {
    if (!empty && skip(']')) break;
    const Escape from = class_member();
    write_member(from);
    if (!skip('-')) continue;
    if (skip(']')) {  // a hyphen at the end is itself
      out_ += "\\-";
      break;
    }
    const Escape to = class_member();
    if (!from.literal || !to.literal || *to.literal < *from.literal) fail("bad character range");
    out_ += '-';
    write_member(to);
  }
  out_ += ']';
}

}  // namespace octavo::pattern_detail
