// A template as a tree, and how its source becomes one. The part of Jinja that chat templates use; the rest is refused
// by name, so that nothing is rendered otherwise than transformers would.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "value.hpp"

namespace octavo::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind : std::uint8_t {
    literal,    // value
    variable,   // name
    list,       // operands
    attribute,  // operands[0].name, or operands[0][operands[1]]
    slice,      // operands[0][operands[1]:operands[2]:operands[3]], null where left out
    call,       // operands[0](operands[1...]); keywords[i] names operands[i], "" a positional one
    filter,     // operands[0] | name(operands[1...])
    test,       // operands[0] is name(operands[1...])
    unary,      // name: "-", "not"
    binary,     // name: "+", "==", "in", "and", ...
    condition,  // operands[1] if operands[0] else operands[2], which may be null
  };
  Kind kind = Kind::literal;
  int line = 1;
  int depth = 1;  // of the tree below, which is walked by recursion
  std::string name;
  Value value;
  std::vector<ExpressionPtr> operands;
  std::vector<std::string> keywords;
};

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  enum class Kind : std::uint8_t { text, output, branch, loop, assign };
  Kind kind = Kind::text;
  int line = 1;
  std::string text;                        // of text
  std::vector<std::string> names;          // loop: its variables; assign: the variable, then its attribute if any
  std::vector<ExpressionPtr> expressions;  // output; branch: the conditions; loop: what it runs over, and its "if"
  std::vector<Block> blocks;               // branch: one per condition, then "else"; loop: body and "else"
};

/// @throws Error  format naming the line for what is no Jinja; unsupported for Jinja that Octavo does not have.
Block parse(std::string_view source);

}  // namespace octavo::text::jinja
