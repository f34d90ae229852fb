/// The characters of a Python expression, and those parts of it that stand for one character: literals, escapes,
/// classes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "python_syntax.hpp"

namespace octavo::pattern_detail {

constexpr std::int64_t kAnyWidth = INT32_MAX;  // no upper bound

/// How many characters an expression may take: a look-behind needs one number.
struct Width {
  std::int64_t least = 0;
  std::int64_t most = 0;
  Width operator+(Width other) const {
    return {std::min(least + other.least, kAnyWidth), std::min(most + other.most, kAnyWidth)};
  }
  Width either(Width other) const { return {std::min(least, other.least), std::max(most, other.most)}; }
  Width times(std::int64_t from, std::int64_t to) const {
    const auto product = [](std::int64_t width, std::int64_t count) {
      return width == 0 || count == 0 ? 0 : width >= kAnyWidth / count ? kAnyWidth : width * count;
    };
    return {product(least, from), product(most, to)};
  }
};
constexpr Width kOne{1, 1};
constexpr Width kNothing{0, 0};

/// What follows a backslash.
struct Escape {
  std::optional<char32_t> literal;  ///< else a class or an anchor, already in PCRE2's words
  std::string written;
  bool anchor = false;
  Width width = kOne;
};

/// Reads an expression from left to right and appends to its form in PCRE2's syntax.
class CharacterReader {
 protected:
  /// @throws SyntaxError  for bytes that are not UTF-8.
  explicit CharacterReader(std::string_view expression);

  [[noreturn]] void fail(const std::string& what) const {
    throw SyntaxError(what + " (at character " + std::to_string(at_) + ")");
  }
  bool more() const { return at_ < in_.size(); }
  char32_t peek() const { return in_[at_]; }
  char32_t take(const char* otherwise) {
    if (!more()) fail(otherwise);
    return in_[at_++];
  }
  bool skip(char32_t wanted) {
    if (!more() || peek() != wanted) return false;
    ++at_;
    return true;
  }
  std::string digits(std::size_t most, bool (*fits)(char32_t)) {
    std::string found;
    while (more() && found.size() < most && fits(peek())) found += static_cast<char>(in_[at_++]);
    return found;
  }

  static bool octal(char32_t c) { return c >= '0' && c <= '7'; }
  static bool letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  void write_literal(char32_t c);
  /// The escapes that mean the same inside a class and outside; nothing when `c` is none of them.
  std::optional<Escape> common_escape(char32_t c);
  /// After `[`.
  void character_class();

  std::u32string in_;
  std::size_t at_ = 0;
  std::string out_;

 private:
  char32_t hexadecimal(std::size_t length);
  Escape class_escape();
  Escape class_member();
  void write_member(const Escape& member);
};

}  // namespace octavo::pattern_detail
