// The expressions of a template, by Jinja's precedence.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cursor.hpp"
#include "syntax.hpp"

namespace octavo::text::jinja {

class ExpressionParser : protected Cursor {
 protected:
  explicit ExpressionParser(std::vector<Token> tokens) : Cursor(std::move(tokens)) {}

  ExpressionPtr parse_expression();
  ExpressionPtr parse_or();  // all but "a if b else c"

 private:
  using Operand = ExpressionPtr (ExpressionParser::*)();

  ExpressionPtr make(Expression::Kind kind, std::string name = "") const;
  ExpressionPtr literal(Value value) const;
  ExpressionPtr binary(std::string name, ExpressionPtr left, ExpressionPtr right) const;
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr left_to_right(std::initializer_list<std::string_view> symbols, Operand operand);
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_unary();
  ExpressionPtr parse_primary();
  ExpressionPtr named(const std::string& name) const;
  ExpressionPtr parse_postfix(ExpressionPtr object);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  void parse_arguments(Expression& call);
  ExpressionPtr parse_filters(ExpressionPtr value);
  bool begins_argument() const;
};

}  // namespace octavo::text::jinja
