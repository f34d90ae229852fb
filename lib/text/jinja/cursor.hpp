// A place among the symbols of a template, and how deep it is nested.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lexer.hpp"

namespace octavo::text::jinja {

constexpr int kMaxDepth = 200;  // of brackets, blocks and expressions: a file must not exhaust the stack

class Cursor {
 protected:
  explicit Cursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  const Token& following() const { return tokens_[at_ + 1]; }  // not at the end
  bool is_symbol(std::string_view text) const {
    return current().kind == Token::Kind::symbol && current().text == text;
  }
  bool is_name(std::string_view text) const { return current().kind == Token::Kind::name && current().text == text; }
  bool skip_symbol(std::string_view text) {
    const bool found = is_symbol(text);
    if (found) take();
    return found;
  }
  bool skip_name(std::string_view text) {
    const bool found = is_name(text);
    if (found) take();
    return found;
  }
  void expect_symbol(std::string_view text) {
    if (!skip_symbol(text)) syntax_error(current().line, "'" + std::string(text) + "' is missing");
  }
  std::string expect_name() {
    if (current().kind != Token::Kind::name) syntax_error(current().line, "a name is missing");
    return take().text;
  }
  void close_block() {
    if (current().kind != Token::Kind::close_block) syntax_error(current().line, "'%}' is missing");
    take();
  }

  /// One level deeper, while it lives.
  class Deeper {
   public:
    explicit Deeper(Cursor& cursor) : cursor_(cursor) {
      if (++cursor_.depth_ > kMaxDepth)
        not_supported(cursor_.current().line, "it is nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    ~Deeper() { --cursor_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Cursor& cursor_;
  };

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace octavo::text::jinja
