#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "expressions.hpp"

namespace octavo::text::jinja {
namespace {

class Parser : private ExpressionParser {
 public:
  explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

  Block run() {
    Block block = parse_block({});
    if (current().kind != Token::Kind::end) syntax_error(current().line, "'" + following().text + "' ends nothing");
    return block;
  }

 private:
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
        const std::string& keyword = following().text;
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
      if (current().kind == Token::Kind::end || following().text == "endif") return end_of("endif");
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
    if (current().kind != Token::Kind::end && following().text == "else") {
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

  int generations_ = 0;
};

}  // namespace

Block parse(std::string_view source) { return Parser(tokenize(source)).run(); }

}  // namespace octavo::text::jinja
