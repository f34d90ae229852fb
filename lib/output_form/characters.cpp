#include "characters.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace octavo::output_form {
namespace {

constexpr char32_t kLargest = 0x10FFFF;
constexpr std::uint8_t kFirstContinuation = 0x80, kLastContinuation = 0xBF;

std::string utf8(char32_t c) {
  const auto byte = [](char32_t bits) { return static_cast<char>(static_cast<unsigned char>(bits)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | (c >> 6U)), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | (c >> 12U)), byte(0x80 | ((c >> 6U) & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | (c >> 18U)), byte(0x80 | ((c >> 12U) & 0x3F)), byte(0x80 | ((c >> 6U) & 0x3F)),
          byte(0x80 | (c & 0x3F))};
}

void hex_edges(Grammar& grammar, StateId from, StateId to) {
  grammar.byte_edge(from, '0', '9', to);
  grammar.byte_edge(from, 'A', 'F', to);
  grammar.byte_edge(from, 'a', 'f', to);
}

StateId hex_digit(Grammar& grammar, StateId from) {
  const StateId to = grammar.new_state();
  hex_edges(grammar, from, to);
  return to;
}

constexpr std::array<std::pair<char, char>, 7> kShortEscapes{
    {{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}}};

}  // namespace

CharacterSet::CharacterSet(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  for (const Range& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1)
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    else
      ranges_.push_back(range);
  }
}

CharacterSet CharacterSet::all() { return CharacterSet({{0, 0xD7FF}, {0xE000, kLargest}}); }

CharacterSet CharacterSet::of(std::string_view ascii) {
  std::vector<Range> ranges;
  for (const char c : ascii) ranges.push_back({static_cast<unsigned char>(c), static_cast<unsigned char>(c)});
  return CharacterSet(std::move(ranges));
}

CharacterSet CharacterSet::with(const CharacterSet& other) const {
  std::vector<Range> ranges = ranges_;
  ranges.insert(ranges.end(), other.ranges_.begin(), other.ranges_.end());
  return CharacterSet(std::move(ranges));
}

CharacterSet CharacterSet::without(const CharacterSet& other) const {
  CharacterSet rest;
  for (const Range& range : ranges_) {
    char32_t next = range.first;
    for (const Range& gone : other.ranges_) {
      if (gone.last < next || gone.first > range.last) continue;
      if (gone.first > next) rest.ranges_.push_back({next, gone.first - 1});
      next = gone.last + 1;
    }
    if (next <= range.last) rest.ranges_.push_back({next, range.last});
  }
  return rest;
}

bool CharacterSet::has(char32_t character) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.first <= character && character <= range.last; });
}

void between(Grammar& grammar, StateId from, StateId to, std::string_view first, std::string_view last,
             std::uint8_t least, std::uint8_t most) {
  auto low = static_cast<std::uint8_t>(first.front());
  auto high = static_cast<std::uint8_t>(last.front());
  if (first.size() == 1) return grammar.byte_edge(from, low, high, to);
  const std::string_view first_rest = first.substr(1), last_rest = last.substr(1);
  const std::string all_least(first_rest.size(), static_cast<char>(least));
  const std::string all_most(first_rest.size(), static_cast<char>(most));
  if (low == high) return between(grammar, grammar.byte(from, low, low), to, first_rest, last_rest, least, most);
  if (first_rest != all_least) {
    between(grammar, grammar.byte(from, low, low), to, first_rest, all_most, least, most);
    ++low;
  }
  if (last_rest != all_most) {
    between(grammar, grammar.byte(from, high, high), to, all_least, last_rest, least, most);
    --high;
  }
  if (low > high) return;
  StateId at = grammar.byte(from, low, high);
  for (std::size_t i = 1; i < first_rest.size(); ++i) at = grammar.byte(at, least, most);
  grammar.byte_edge(at, least, most, to);
}

void utf8_edges(Grammar& grammar, StateId from, StateId to, const CharacterSet& characters) {
  constexpr std::array<CharacterSet::Range, 4> kLengths{
      {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, kLargest}}};
  for (const CharacterSet::Range& range : characters.ranges())
    for (const CharacterSet::Range& length : kLengths) {
      const char32_t first = std::max(range.first, length.first), last = std::min(range.last, length.last);
      if (first <= last) between(grammar, from, to, utf8(first), utf8(last), kFirstContinuation, kLastContinuation);
    }
}

const CharacterSet& plain_in_json() {
  static const CharacterSet plain =
      CharacterSet::all().without(CharacterSet(0, 0x1F)).without(CharacterSet::of("\"\\"));
  return plain;
}

void json_edges(Grammar& grammar, StateId from, StateId to, const CharacterSet& characters) {
  const CharacterSet escaped = characters.without(plain_in_json());
  utf8_edges(grammar, from, to, characters.without(escaped));
  if (escaped.empty()) return;
  const StateId backslash = grammar.byte(from, '\\', '\\');
  CharacterSet rest = escaped;
  for (const auto& [character, letter] : kShortEscapes) {
    const auto code = static_cast<unsigned char>(character);
    if (!escaped.has(code)) continue;
    grammar.byte_edge(backslash, static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter), to);
    rest = rest.without(CharacterSet(code, code));
  }
  for (const CharacterSet::Range& range : rest.ranges())
    for (char32_t c = range.first; c <= range.last; ++c) {  // controls
      const char* digits = "0123456789abcdef";
      const StateId at = grammar.literal(backslash, std::string("u00") + digits[c >> 4U]);
      const auto last = static_cast<std::uint8_t>(digits[c & 15U]);
      grammar.byte_edge(at, last, last, to);
    }
}

void usual_json_edges(Grammar& grammar, StateId from, StateId to) {
  grammar.byte_edge(from, 0x20, '"' - 1, to);
  grammar.byte_edge(from, '"' + 1, '\\' - 1, to);
  grammar.byte_edge(from, '\\' + 1, 0x7F, to);
}

void unusual_json_edges(Grammar& grammar, StateId from, StateId to) {
  utf8_edges(grammar, from, to, CharacterSet::all().without(CharacterSet(0, 0x7F)));
  const StateId backslash = grammar.byte(from, '\\', '\\');
  for (const char letter : std::string_view("\"\\/bfnrt"))
    grammar.byte_edge(backslash, static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter), to);
  // \uXXXX: not D800 to DFFF, unless a high surrogate is followed by a low one.
  const StateId u = grammar.byte(backslash, 'u', 'u');
  const StateId two_left = grammar.new_state(), last = grammar.new_state(), other = grammar.new_state();
  grammar.byte_edge(u, '0', '9', other);
  for (const auto& [first, end] : {std::pair('A', 'C'), std::pair('E', 'F'), std::pair('a', 'c'), std::pair('e', 'f')})
    grammar.byte_edge(u, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(end), other);
  hex_edges(grammar, other, two_left);
  hex_edges(grammar, two_left, last);
  hex_edges(grammar, last, to);
  const StateId d = grammar.byte(u, 'D', 'D');
  grammar.byte_edge(u, 'd', 'd', d);
  grammar.byte_edge(d, '0', '7', two_left);
  const StateId high = grammar.byte(d, '8', '9');
  for (const char letter : {'A', 'B', 'a', 'b'})
    grammar.byte_edge(d, static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter), high);
  const StateId pair = grammar.literal(hex_digit(grammar, hex_digit(grammar, high)), "\\u");
  const StateId low_d = grammar.byte(pair, 'D', 'D');
  grammar.byte_edge(pair, 'd', 'd', low_d);
  grammar.byte_edge(low_d, 'C', 'F', two_left);
  grammar.byte_edge(low_d, 'c', 'f', two_left);
}

}  // namespace octavo::output_form
