#include "unicode.hpp"

#include <algorithm>
#include <iterator>
#include <span>

namespace octavo::text {
namespace {

struct Range {
  std::uint32_t first, last;
};
#include "unicode_classes.inc"

bool holds(std::span<const Range> sorted, std::uint32_t code_point) {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), code_point,
                                      [](std::uint32_t c, const Range& range) { return c < range.first; });
  return after != sorted.begin() && code_point <= std::prev(after)->last;
}

}  // namespace

CharClass class_of(std::uint32_t c) noexcept {
  if (holds(kSpaces, c)) return CharClass::space;
  if (holds(kLetters, c)) return CharClass::letter;
  return holds(kNumbers, c) ? CharClass::number : CharClass::other;
}

bool is_word_character(std::uint32_t c) noexcept { return holds(kWordCharacters, c); }

std::uint32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(at);
  if (first < 0x80) return byte(at++);
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  std::uint32_t code_point = first & (0x3FU >> more);
  for (int i = 1; i <= more; ++i) code_point = (code_point << 6) | (byte(at + static_cast<std::size_t>(i)) & 0x3FU);
  at += static_cast<std::size_t>(more) + 1;
  return code_point;
}

std::size_t previous_begin(std::string_view text, std::size_t end) noexcept {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80);
  return end;
}

void append_utf8(std::uint32_t c, std::string& text) {
  const auto more = [&](int shift) { text += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
    return;
  }
  if (c < 0x800) {
    text += static_cast<char>(0xC0U | (c >> 6));
  } else {
    if (c < 0x10000) {
      text += static_cast<char>(0xE0U | (c >> 12));
    } else {
      text += static_cast<char>(0xF0U | (c >> 18));
      more(12);
    }
    more(6);
  }
  more(0);
}

int utf8_length(std::string_view bytes, std::size_t& bad) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  bad = 1;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  // The second byte's range excludes overlong forms, surrogates and values beyond U+10FFFF.
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return -1;
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) {
      bad = i;
      return 0;
    }
  }
  return static_cast<int>(length);
}

}  // namespace octavo::text
