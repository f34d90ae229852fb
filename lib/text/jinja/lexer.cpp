#include "lexer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "../unicode.hpp"
#include "octavo/error.hpp"

namespace octavo::text::jinja {

void syntax_error(int line, const std::string& what) {
  throw Error(ErrorCode::format, "line " + std::to_string(line) + ": " + what);
}

void not_supported(int line, const std::string& what) {
  throw Error(ErrorCode::unsupported, "line " + std::to_string(line) + ": " + what);
}

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// One kind of line break, and none at the end.
std::string normalised(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalised(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag();
      text_until(tag);
      if (tag == source_.size()) break;
      tag_at(tag);
    }
    push(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  void push(Token::Kind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  bool starts(std::size_t at, std::string_view with) const { return source_.compare(at, with.size(), with) == 0; }
  void move_to(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  std::size_t next_tag() const {
    for (std::size_t at = source_.find('{', at_); at != std::string::npos; at = source_.find('{', at + 1))
      if (starts(at, "{{") || starts(at, "{%") || starts(at, "{#")) return at;
    return source_.size();
  }

  void text_until(std::size_t tag) {
    std::string text = source_.substr(at_, tag - at_);
    if (tag < source_.size()) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
      if (sign == '-') {
        while (!text.empty() && is_space(text.back())) text.pop_back();
      } else if (sign != '+' && source_[tag + 1] != '{') {
        const std::size_t line = text.rfind('\n') + 1;  // 0 when there is none
        const bool blank = std::all_of(text.begin() + static_cast<std::ptrdiff_t>(line), text.end(), is_space);
        if (blank && (line > 0 || at_line_start_)) text.resize(line);
      }
    }
    if (!text.empty()) push(Token::Kind::text, std::move(text));
    move_to(tag);
  }

  void tag_at(std::size_t tag) {
    const char kind = source_[tag + 1];
    std::size_t inside = tag + 2;
    if (inside < source_.size() && (source_[inside] == '-' || source_[inside] == '+')) ++inside;
    if (kind == '#') {
      const std::size_t end = source_.find("#}", inside);
      if (tag + 2 == source_.size()) return move_to(tag + 2);  // Jinja does not mind
      if (end == std::string::npos) syntax_error(line_, "a comment does not end");
      move_to(end);
      close(source_[end - 1] == '-' && end > inside ? '-' : ' ', end + 2, true);
      return;
    }
    const bool block = kind == '%';
    push(block ? Token::Kind::open_block : Token::Kind::open_output, "");
    move_to(inside);
    const std::string_view closing = block ? "%}" : "}}";
    int depth = 0;  // of brackets: "}}" may end two dictionaries
    for (;;) {
      while (at_ < source_.size() && is_space(source_[at_])) move_to(at_ + 1);
      if (at_ == source_.size()) syntax_error(line_, "a tag does not end");
      const bool signed_end = (source_[at_] == '-' || source_[at_] == '+') && starts(at_ + 1, closing);
      if (depth == 0 && (signed_end || starts(at_, closing))) {
        const char sign = signed_end ? source_[at_] : ' ';
        push(block ? Token::Kind::close_block : Token::Kind::close_output, "");
        close(sign, at_ + (signed_end ? 3 : 2), block);
        return;
      }
      symbol(depth);
    }
  }

  /// What follows a tag: `-` takes all white space, a block the line break after it.
  void close(char sign, std::size_t after, bool block) {
    move_to(after);
    at_line_start_ = false;
    if (sign == '-') {
      while (at_ < source_.size() && is_space(source_[at_])) {
        at_line_start_ = source_[at_] == '\n';
        move_to(at_ + 1);
      }
    } else if (sign != '+' && block && at_ < source_.size() && source_[at_] == '\n') {
      at_line_start_ = true;
      move_to(at_ + 1);
    }
  }

  void symbol(int& depth) {
    const char c = source_[at_];
    if (c == '\'' || c == '"') return string(c);
    std::size_t end = at_;
    if (begins_name(c)) {
      while (end < source_.size() && (begins_name(source_[end]) || is_digit(source_[end]))) ++end;
      return word(Token::Kind::name, end);
    }
    if (is_digit(c)) {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
      const bool fraction = end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1]);
      if (fraction)
        for (++end; end < source_.size() && is_digit(source_[end]);) ++end;
      return word(fraction ? Token::Kind::number : Token::Kind::integer, end);
    }
    constexpr std::array<std::string_view, 8> kLong{"==", "!=", "<=", ">=", "//", "**", "~", "|"};
    for (const std::string_view operation : kLong)
      if (starts(at_, operation)) return word(Token::Kind::symbol, at_ + operation.size());
    if (std::string_view("+-*/%<>=()[]{}.,:").find(c) == std::string_view::npos)
      syntax_error(line_, std::string("'") + c + "' is not expected");
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') depth = std::max(depth - 1, 0);
    word(Token::Kind::symbol, at_ + 1);
  }

  void word(Token::Kind kind, std::size_t end) {
    push(kind, source_.substr(at_, end - at_));
    move_to(end);
  }

  void string(char quote) {
    std::string text;
    std::size_t at = at_ + 1;
    for (; at < source_.size() && source_[at] != quote; ++at) {
      if (source_[at] != '\\') {
        text += source_[at];
        continue;
      }
      if (++at == source_.size()) break;
      escape(at, text);
    }
    if (at >= source_.size()) syntax_error(line_, "a string does not end");
    push(Token::Kind::string, std::move(text));
    move_to(at + 1);
  }

  /// Python's escapes; `at` is the letter after the backslash, and ends on the last one taken.
  void escape(std::size_t& at, std::string& text) const {
    constexpr std::string_view kLetters = "ntrabfv\\'\"0\n";
    constexpr std::string_view kMeaning("\n\t\r\a\b\f\v\\'\"\0", 11);
    const char c = source_[at];
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      std::uint32_t code = 0;
      for (int i = 0; i < digits; ++i) {
        const char digit = ++at < source_.size() ? source_[at] : ' ';
        const std::size_t value = std::string_view("0123456789abcdef").find(static_cast<char>(digit | 0x20));
        if (value == std::string_view::npos) syntax_error(line_, "an escape in a string is cut short");
        code = code * 16 + static_cast<std::uint32_t>(value);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) syntax_error(line_, "an escape is no character");
      append_utf8(code, text);
      return;
    }
    const std::size_t known = kLetters.find(c);
    if (is_digit(c) && (c != '0' || (at + 1 < source_.size() && is_digit(source_[at + 1]))))
      not_supported(line_, "octal escapes are not among what Octavo reads of Jinja");
    if (known == std::string_view::npos) {
      text += '\\';
      text += c;
    } else if (known < kMeaning.size()) {
      text += kMeaning[known];
    }
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace octavo::text::jinja
