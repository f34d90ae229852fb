#include "expressions.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace octavo::text::jinja {
namespace {

/// `made` with its depth, once its operands are complete.
ExpressionPtr measured(ExpressionPtr made) {
  for (const ExpressionPtr& operand : made->operands)
    if (operand != nullptr) made->depth = std::max(made->depth, operand->depth + 1);
  if (made->depth > kMaxDepth)
    not_supported(made->line, "an expression is more than " + std::to_string(kMaxDepth) + " deep");
  return made;
}

Value number(const Token& token) {
  std::string digits = token.text;
  std::erase(digits, '_');
  std::int64_t integer = 0;
  const char* end = digits.data() + digits.size();
  if (token.kind != Token::Kind::integer || std::from_chars(digits.data(), end, integer).ec != std::errc())
    not_supported(token.line, "the number " + token.text.substr(0, 40) + " is not among what Octavo reads of Jinja");
  return Value::of(integer);
}

}  // namespace

ExpressionPtr ExpressionParser::make(Expression::Kind kind, std::string name) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = current().line;
  made->name = std::move(name);
  return made;
}
ExpressionPtr ExpressionParser::literal(Value value) const {
  ExpressionPtr made = make(Expression::Kind::literal);
  made->value = std::move(value);
  return made;
}

ExpressionPtr ExpressionParser::parse_expression() {
  const Deeper deeper(*this);
  ExpressionPtr value = parse_or();
  while (skip_name("if")) {
    ExpressionPtr condition = make(Expression::Kind::condition);
    condition->operands.push_back(parse_or());
    condition->operands.push_back(std::move(value));
    condition->operands.push_back(skip_name("else") ? parse_expression() : nullptr);
    value = measured(std::move(condition));
  }
  return value;
}

ExpressionPtr ExpressionParser::binary(std::string name, ExpressionPtr left, ExpressionPtr right) const {
  ExpressionPtr made = make(Expression::Kind::binary, std::move(name));
  made->operands.push_back(std::move(left));
  made->operands.push_back(std::move(right));
  return measured(std::move(made));
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr left = parse_and();
  while (skip_name("or")) left = binary("or", std::move(left), parse_and());
  return left;
}
ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr left = parse_not();
  while (skip_name("and")) left = binary("and", std::move(left), parse_not());
  return left;
}
ExpressionPtr ExpressionParser::parse_not() {
  const Deeper deeper(*this);
  if (!skip_name("not")) return parse_comparison();
  ExpressionPtr made = make(Expression::Kind::unary, "not");
  made->operands.push_back(parse_not());
  return measured(std::move(made));
}
ExpressionPtr ExpressionParser::parse_comparison() {
  ExpressionPtr left = parse_sum();
  int comparisons = 0;
  for (;;) {
    std::string name;
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">"})
      if (name.empty() && skip_symbol(symbol)) name = symbol;
    if (name.empty() && skip_name("in")) name = "in";
    if (name.empty() && is_name("not") && following().text == "in") {
      take();
      take();
      name = "not in";
    }
    if (name.empty()) return left;
    if (++comparisons > 1)
      not_supported(current().line, "chained comparisons are not among what Octavo reads of Jinja");
    left = binary(name, std::move(left), parse_sum());
  }
}
ExpressionPtr ExpressionParser::left_to_right(std::initializer_list<std::string_view> symbols, Operand operand) {
  ExpressionPtr left = (this->*operand)();
  for (;;) {
    const auto found = std::find_if(symbols.begin(), symbols.end(), [&](auto symbol) { return is_symbol(symbol); });
    if (found == symbols.end()) return left;
    const std::string name = take().text;
    left = binary(name, std::move(left), (this->*operand)());
  }
}
ExpressionPtr ExpressionParser::parse_sum() {
  return left_to_right({"+", "-"}, &ExpressionParser::parse_concatenation);
}
ExpressionPtr ExpressionParser::parse_concatenation() { return left_to_right({"~"}, &ExpressionParser::parse_product); }
ExpressionPtr ExpressionParser::parse_product() {
  return left_to_right({"*", "/", "//", "%"}, &ExpressionParser::parse_unary);
}
ExpressionPtr ExpressionParser::parse_unary() {
  const Deeper deeper(*this);
  ExpressionPtr made;
  if (skip_symbol("-")) {
    made = make(Expression::Kind::unary, "-");
    made->operands.push_back(parse_postfix(parse_primary()));
    made = measured(std::move(made));
  } else {
    made = parse_postfix(parse_primary());
  }
  if (is_symbol("**")) not_supported(current().line, "'**' is not among what Octavo reads of Jinja");
  return parse_filters(std::move(made));
}

ExpressionPtr ExpressionParser::parse_primary() {
  const Deeper deeper(*this);
  const Token token = take();
  switch (token.kind) {
    case Token::Kind::name:
      return named(token.text);
    case Token::Kind::string: {
      std::string text = token.text;
      while (current().kind == Token::Kind::string) text += take().text;
      return literal(Value::of(std::move(text)));
    }
    case Token::Kind::integer:
    case Token::Kind::number:
      return literal(number(token));
    default:
      break;
  }
  if (token.kind == Token::Kind::symbol && token.text == "(") {
    ExpressionPtr inner = parse_expression();
    if (is_symbol(",")) not_supported(token.line, "tuples are not among what Octavo reads of Jinja");
    expect_symbol(")");
    return inner;
  }
  if (token.kind == Token::Kind::symbol && token.text == "[") {
    ExpressionPtr list = make(Expression::Kind::list);
    while (!skip_symbol("]")) {
      list->operands.push_back(parse_expression());
      if (!is_symbol("]")) expect_symbol(",");
    }
    return measured(std::move(list));
  }
  if (token.kind == Token::Kind::symbol && token.text == "{")
    not_supported(token.line, "dictionaries in braces are not among what Octavo reads of Jinja");
  syntax_error(token.line, token.text.empty() ? "a value is missing" : "'" + token.text + "' is no value");
}

ExpressionPtr ExpressionParser::named(const std::string& name) const {
  if (name == "true" || name == "True") return literal(Value::of(true));
  if (name == "false" || name == "False") return literal(Value::of(false));
  if (name == "none" || name == "None") return literal(Value::none());
  return make(Expression::Kind::variable, name);
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr object) {
  for (;;) {
    if (skip_symbol(".")) {
      ExpressionPtr made = make(Expression::Kind::attribute);
      if (current().kind == Token::Kind::integer) {  // messages.0
        made->operands.push_back(std::move(object));
        made->operands.push_back(literal(number(take())));
      } else {
        made->name = expect_name();
        made->operands.push_back(std::move(object));
      }
      object = measured(std::move(made));
    } else if (skip_symbol("[")) {
      object = parse_subscript(std::move(object));
    } else if (is_symbol("(")) {
      ExpressionPtr made = make(Expression::Kind::call);
      made->operands.push_back(std::move(object));
      parse_arguments(*made);
      object = measured(std::move(made));
    } else {
      return object;
    }
  }
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
  std::array<ExpressionPtr, 3> parts;
  std::size_t part = 0;
  bool is_slice = false;
  while (!skip_symbol("]")) {
    if (skip_symbol(":")) {
      is_slice = true;
      if (++part == parts.size()) syntax_error(current().line, "a slice has three parts at most");
    } else if (parts[part] != nullptr) {
      syntax_error(current().line, "']' is missing");
    } else {
      parts[part] = parse_expression();
    }
  }
  if (!is_slice && parts[0] == nullptr) syntax_error(current().line, "an index is missing");
  ExpressionPtr made = make(is_slice ? Expression::Kind::slice : Expression::Kind::attribute);
  made->operands.push_back(std::move(object));
  for (std::size_t i = 0; i < (is_slice ? parts.size() : 1); ++i) made->operands.push_back(std::move(parts[i]));
  return measured(std::move(made));
}

void ExpressionParser::parse_arguments(Expression& call) {
  call.keywords.resize(call.operands.size());
  expect_symbol("(");
  while (!skip_symbol(")")) {
    std::string keyword;
    if (current().kind == Token::Kind::name && following().kind == Token::Kind::symbol && following().text == "=") {
      keyword = take().text;
      take();
    }
    call.operands.push_back(parse_expression());
    call.keywords.push_back(std::move(keyword));
    if (!is_symbol(")")) expect_symbol(",");
  }
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr value) {
  for (;;) {
    const bool filter = skip_symbol("|");
    if (!filter && !skip_name("is")) {
      if (!is_symbol("(")) return value;
      not_supported(current().line, "calling a filter's result is not among what Octavo reads of Jinja");
    }
    const bool negated = !filter && skip_name("not");
    ExpressionPtr made = make(filter ? Expression::Kind::filter : Expression::Kind::test, expect_name());
    made->operands.push_back(std::move(value));
    if (is_symbol("("))
      parse_arguments(*made);
    else if (!filter && begins_argument())
      not_supported(current().line, "'is " + made->name + "' with an argument is not among what Octavo reads of Jinja");
    value = measured(std::move(made));
    if (negated) {
      ExpressionPtr inverse = make(Expression::Kind::unary, "not");
      inverse->operands.push_back(std::move(value));
      value = measured(std::move(inverse));
    }
  }
}

bool ExpressionParser::begins_argument() const {
  switch (current().kind) {
    case Token::Kind::string:
    case Token::Kind::integer:
    case Token::Kind::number:
      return true;
    case Token::Kind::name:
      for (const std::string_view word : {"else", "or", "and"})
        if (current().text == word) return false;
      return true;
    default:
      return is_symbol("[") || is_symbol("{");
  }
}

}  // namespace octavo::text::jinja
