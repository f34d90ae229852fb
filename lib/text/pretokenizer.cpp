#include "pretokenizer.hpp"

#include <array>
#include <vector>

#include "unicode.hpp"

namespace octavo::text {

const char* const kQwenPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

namespace {

struct Char {
  std::uint32_t code;
  CharClass kind;
  std::size_t begin;  // byte offset
};

bool is_newline(const Char& c) { return c.code == '\r' || c.code == '\n'; }

class Matcher {
 public:
  explicit Matcher(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      const std::uint32_t code = next_code_point(text, at);
      chars_.push_back({code, class_of(code), begin});
    }
    end_ = text.size();
  }

  std::size_t size() const { return chars_.size(); }
  std::size_t offset(std::size_t i) const { return i < chars_.size() ? chars_[i].begin : end_; }

  // Index after the pre-token that starts at `p`: the first alternative that matches wins.
  std::size_t match(std::size_t p) const {
    for (const auto alternative :
         {&Matcher::contraction, &Matcher::word, &Matcher::number, &Matcher::punctuation, &Matcher::newlines})
      if (const std::size_t end = (this->*alternative)(p); end != p) return end;
    return whitespace(p);
  }

 private:
  bool is(std::size_t i, CharClass kind) const { return i < chars_.size() && chars_[i].kind == kind; }
  std::size_t run(std::size_t i, CharClass kind) const {
    while (is(i, kind)) ++i;
    return i;
  }

  // (?i:'s|'t|'re|'ve|'m|'ll|'d)
  std::size_t contraction(std::size_t p) const {
    if (chars_[p].code != '\'') return p;
    const auto folded = [&](std::size_t i) -> std::uint32_t {
      if (i >= chars_.size()) return 0;
      const std::uint32_t c = chars_[i].code;
      if (c == 0x17F) return 's';  // long s folds to s under (?i)
      return c >= 'A' && c <= 'Z' ? c + 32 : c;
    };
    const std::uint32_t first = folded(p + 1);
    const std::uint32_t second = folded(p + 2);
    if (first == 's' || first == 't') return p + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return p + 3;
    if (first == 'm') return p + 2;
    if (first == 'l' && second == 'l') return p + 3;
    if (first == 'd') return p + 2;
    return p;
  }
  // [^\r\n\p{L}\p{N}]?\p{L}+
  std::size_t word(std::size_t p) const {
    if (is(p, CharClass::letter)) return run(p, CharClass::letter);
    if (is_newline(chars_[p]) || is(p, CharClass::number) || !is(p + 1, CharClass::letter)) return p;
    return run(p + 1, CharClass::letter);
  }
  // \p{N}
  std::size_t number(std::size_t p) const { return is(p, CharClass::number) ? p + 1 : p; }
  // " ?[^\s\p{L}\p{N}]+[\r\n]*"
  std::size_t punctuation(std::size_t p) const {
    const std::size_t begin = chars_[p].code == ' ' ? p + 1 : p;
    std::size_t end = run(begin, CharClass::other);
    if (end == begin) return p;
    while (end < chars_.size() && is_newline(chars_[end])) ++end;
    return end;
  }
  // \s*[\r\n]+: the run of white space up to its last line break
  std::size_t newlines(std::size_t p) const {
    std::size_t end = p;
    for (std::size_t i = p; is(i, CharClass::space); ++i)
      if (is_newline(chars_[i])) end = i + 1;
    return end;
  }
  // \s+(?!\S)|\s+
  std::size_t whitespace(std::size_t p) const {
    const std::size_t end = run(p, CharClass::space);
    return end < chars_.size() && end > p + 1 ? end - 1 : end;
  }

  std::vector<Char> chars_;
  std::size_t end_ = 0;
};

}  // namespace

void split(std::string_view text, const std::function<void(std::string_view)>& visit) {
  const Matcher matcher(text);
  for (std::size_t p = 0; p < matcher.size();) {
    const std::size_t next = matcher.match(p);
    visit(text.substr(matcher.offset(p), matcher.offset(next) - matcher.offset(p)));
    p = next;
  }
}

}  // namespace octavo::text
