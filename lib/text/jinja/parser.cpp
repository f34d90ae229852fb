#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "lexer.hpp"
#include "syntax.hpp"

namespace octavo::text::jinja {
namespace {

constexpr int kMaxDepth = 200;  // of brackets, blocks and expressions: a file must not exhaust the stack

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Block run() {
    Block block = parse_block({});
    if (current().kind != Token::Kind::end)
      syntax_error(current().line, "'" + tokens_[at_ + 1].text + "' ends nothing");
    return block;
  }

 private:
  using Operand = ExpressionPtr (Parser::*)();

  const Token& current() const { return tokens_[at_]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
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

  class Deeper {
   public:
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth)
        not_supported(parser_.current().line, "it is nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Parser& parser_;
  };

  ExpressionPtr make(Expression::Kind kind, std::string name = "") const {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->line = current().line;
    made->name = std::move(name);
    return made;
  }
  ExpressionPtr literal(Value value) const {
    ExpressionPtr made = make(Expression::Kind::literal);
    made->value = std::move(value);
    return made;
  }

  /// `made` with its depth, once its operands are complete.
  ExpressionPtr measured(ExpressionPtr made) const {
    for (const ExpressionPtr& operand : made->operands)
      if (operand != nullptr) made->depth = std::max(made->depth, operand->depth + 1);
    if (made->depth > kMaxDepth)
      not_supported(made->line, "an expression is more than " + std::to_string(kMaxDepth) + " deep");
    return made;
  }

  /// Up to a tag that begins with one of `ends`, which stays.
  Block parse_block(std::initializer_list<std::string_view> ends) {
    const Deeper deeper(*this);
    Block block;
    for (;;) {
      const Token& token = current();
      if (token.kind == Token::Kind::end) return block;
      if (token.kind == Token::Kind::text) {
        Statement text;
        text.line = token.line;
        text.text = take().text;
        block.push_back(std::move(text));
      } else if (token.kind == Token::Kind::open_output) {
        Statement output;
        output.kind = Statement::Kind::output;
        output.line = take().line;
        output.expressions.push_back(parse_expression());
        if (current().kind != Token::Kind::close_output) syntax_error(current().line, "'}}' is missing");
        take();
        block.push_back(std::move(output));
      } else {
        const std::string& keyword = tokens_[at_ + 1].text;
        if (std::find(ends.begin(), ends.end(), keyword) != ends.end()) return block;
        if (keyword.rfind("end", 0) == 0 || keyword == "else" || keyword == "elif") {
          if (keyword != "endgeneration" || generations_ == 0)
            syntax_error(token.line, "'" + keyword + "' ends nothing");
        }
        parse_statement(block);
      }
    }
  }

  void parse_statement(Block& block) {
    const int line = take().line;
    const std::string keyword = expect_name();
    if (keyword == "generation" || keyword == "endgeneration") {  // marks an assistant's turn for training: no output
      generations_ += keyword == "generation" ? 1 : -1;
      close_block();
      return;
    }
    Statement statement;
    statement.line = line;
    if (keyword == "if") {
      parse_branch(statement);
    } else if (keyword == "for") {
      parse_loop(statement);
    } else if (keyword == "set") {
      parse_assignment(statement);
    } else {
      not_supported(line, "'" + keyword + "' is not among what Octavo reads of Jinja");
    }
    block.push_back(std::move(statement));
  }

  void end_of(std::string_view keyword) {
    if (current().kind == Token::Kind::end) syntax_error(current().line, "'" + std::string(keyword) + "' is missing");
    take();
    expect_name();
    close_block();
  }

  void parse_branch(Statement& statement) {
    statement.kind = Statement::Kind::branch;
    statement.expressions.push_back(parse_expression());
    close_block();
    for (;;) {
      statement.blocks.push_back(parse_block({"elif", "else", "endif"}));
      if (current().kind == Token::Kind::end || tokens_[at_ + 1].text == "endif") return end_of("endif");
      take();
      if (expect_name() == "else") {
        close_block();
        statement.blocks.push_back(parse_block({"endif"}));
        return end_of("endif");
      }
      statement.expressions.push_back(parse_expression());
      close_block();
    }
  }

  void parse_loop(Statement& statement) {
    statement.kind = Statement::Kind::loop;
    do statement.names.push_back(expect_name());
    while (skip_symbol(","));
    if (!skip_name("in")) syntax_error(current().line, "'in' is missing");
    statement.expressions.push_back(parse_or());  // "if" is the loop's own
    if (skip_name("if")) statement.expressions.push_back(parse_expression());
    if (is_name("recursive")) not_supported(current().line, "recursive loops are not among what Octavo reads of Jinja");
    close_block();
    statement.blocks.push_back(parse_block({"else", "endfor"}));
    if (current().kind != Token::Kind::end && tokens_[at_ + 1].text == "else") {
      end_of("else");
      statement.blocks.push_back(parse_block({"endfor"}));
    }
    end_of("endfor");
  }

  void parse_assignment(Statement& statement) {
    statement.kind = Statement::Kind::assign;
    statement.names.push_back(expect_name());
    if (skip_symbol(".")) statement.names.push_back(expect_name());
    if (!skip_symbol("="))
      not_supported(current().line,
                    "'set' of more than one variable, or of a block, is not among what Octavo reads of Jinja");
    statement.expressions.push_back(parse_expression());
    close_block();
  }

  ExpressionPtr parse_expression() {
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

  ExpressionPtr binary(std::string name, ExpressionPtr left, ExpressionPtr right) const {
    ExpressionPtr made = make(Expression::Kind::binary, std::move(name));
    made->operands.push_back(std::move(left));
    made->operands.push_back(std::move(right));
    return measured(std::move(made));
  }

  ExpressionPtr parse_or() {
    ExpressionPtr left = parse_and();
    while (skip_name("or")) left = binary("or", std::move(left), parse_and());
    return left;
  }
  ExpressionPtr parse_and() {
    ExpressionPtr left = parse_not();
    while (skip_name("and")) left = binary("and", std::move(left), parse_not());
    return left;
  }
  ExpressionPtr parse_not() {
    const Deeper deeper(*this);
    if (!skip_name("not")) return parse_comparison();
    ExpressionPtr made = make(Expression::Kind::unary, "not");
    made->operands.push_back(parse_not());
    return measured(std::move(made));
  }
  ExpressionPtr parse_comparison() {
    ExpressionPtr left = parse_sum();
    int comparisons = 0;
    for (;;) {
      std::string name;
      for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">"})
        if (name.empty() && skip_symbol(symbol)) name = symbol;
      if (name.empty() && skip_name("in")) name = "in";
      if (name.empty() && is_name("not") && tokens_[at_ + 1].text == "in") {
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
  ExpressionPtr left_to_right(std::initializer_list<std::string_view> symbols, Operand operand) {
    ExpressionPtr left = (this->*operand)();
    for (;;) {
      const auto found = std::find_if(symbols.begin(), symbols.end(), [&](auto symbol) { return is_symbol(symbol); });
      if (found == symbols.end()) return left;
      const std::string name = take().text;
      left = binary(name, std::move(left), (this->*operand)());
    }
  }
  ExpressionPtr parse_sum() { return left_to_right({"+", "-"}, &Parser::parse_concatenation); }
  ExpressionPtr parse_concatenation() { return left_to_right({"~"}, &Parser::parse_product); }
  ExpressionPtr parse_product() { return left_to_right({"*", "/", "//", "%"}, &Parser::parse_unary); }
  ExpressionPtr parse_unary() {
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

  ExpressionPtr parse_primary() {
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

  ExpressionPtr named(const std::string& name) const {
    if (name == "true" || name == "True") return literal(Value::of(true));
    if (name == "false" || name == "False") return literal(Value::of(false));
    if (name == "none" || name == "None") return literal(Value::none());
    return make(Expression::Kind::variable, name);
  }

  static Value number(const Token& token) {
    std::string digits = token.text;
    std::erase(digits, '_');
    std::int64_t integer = 0;
    const char* end = digits.data() + digits.size();
    if (token.kind != Token::Kind::integer || std::from_chars(digits.data(), end, integer).ec != std::errc())
      not_supported(token.line, "the number " + token.text.substr(0, 40) + " is not among what Octavo reads of Jinja");
    return Value::of(integer);
  }

  ExpressionPtr parse_postfix(ExpressionPtr object) {
    for (;;) {
      if (skip_symbol(".")) {
        ExpressionPtr made = make(Expression::Kind::attribute);
        if (current().kind == Token::Kind::integer)
          made->operands.push_back(std::move(object)), made->operands.push_back(literal(number(take())));
        else
          made->name = expect_name(), made->operands.push_back(std::move(object));
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

  ExpressionPtr parse_subscript(ExpressionPtr object) {
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

  void parse_arguments(Expression& call) {
    call.keywords.resize(call.operands.size());
    expect_symbol("(");
    while (!skip_symbol(")")) {
      std::string keyword;
      if (current().kind == Token::Kind::name && tokens_[at_ + 1].kind == Token::Kind::symbol &&
          tokens_[at_ + 1].text == "=") {
        keyword = take().text;
        take();
      }
      call.operands.push_back(parse_expression());
      call.keywords.push_back(std::move(keyword));
      if (!is_symbol(")")) expect_symbol(",");
    }
  }

  ExpressionPtr parse_filters(ExpressionPtr value) {
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
        not_supported(current().line,
                      "'is " + made->name + "' with an argument is not among what Octavo reads of Jinja");
      value = measured(std::move(made));
      if (negated) {
        ExpressionPtr inverse = make(Expression::Kind::unary, "not");
        inverse->operands.push_back(std::move(value));
        value = measured(std::move(inverse));
      }
    }
  }

  bool begins_argument() const {
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

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int generations_ = 0;
};

}  // namespace

Block parse(std::string_view source) { return Parser(tokenize(source)).run(); }

}  // namespace octavo::text::jinja
