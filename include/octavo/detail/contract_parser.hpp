/// The contract language's parser: constexpr, so that a malformed contract does not compile. Not for direct use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "octavo/tensor.hpp"

namespace octavo::detail {

/// A fixed-size list, so that a parsed contract is a literal type.
template <class T, std::size_t capacity>
struct FixedList {
  std::array<T, capacity> items{};
  std::uint8_t count = 0;
  constexpr const T& operator[](std::size_t i) const { return items[i]; }
  constexpr T& operator[](std::size_t i) { return items[i]; }
  constexpr std::size_t size() const { return count; }
  constexpr bool full() const { return count == capacity; }
  constexpr void push_back(const T& item) { items[count++] = item; }  ///< unless full
  constexpr T& back() { return items[count - std::size_t{1}]; }
  constexpr const T* begin() const { return items.data(); }
  constexpr const T* end() const { return items.data() + count; }
};

/// Thrown while parsing; at compile time it is the error.
struct ContractSyntax {
  const char* what;
  std::size_t offset;
};

struct Range {  ///< a piece of the contract's text, or of one of its lists
  std::uint16_t begin = 0;
  std::uint16_t count = 0;
};

/// One step of an expression in postfix form: push a letter, push a number, or apply an operator (`+ - * / %`).
struct Step {
  char kind = 'n';  // 'l' letter, 'n' number, else the operator itself
  std::uint8_t letter = 0;
  std::int64_t number = 0;
};

enum class Relation : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal };

struct Dimension {
  Range alternatives;  ///< of expressions
};
struct Argument {
  Range name;
  Range dimensions;
  std::uint8_t dtypes = 0;  ///< bit per DType; 0 means any
  bool optional = false;
  bool output = false;
};
struct Condition {
  Range text;
  Range left, right;  ///< of steps
  Relation relation = Relation::equal;
};

struct ParsedContract {
  std::array<char, 512> characters{};
  std::uint16_t length = 0;
  Range op;
  static constexpr std::size_t kMaxLetters = 24, kMaxArguments = 16;
  FixedList<Range, kMaxLetters> letters;  ///< names, in order of appearance
  FixedList<Step, 160> steps;
  FixedList<Range, 80> expressions;  ///< of steps
  FixedList<Dimension, 64> dimensions;
  FixedList<Argument, kMaxArguments> arguments;
  FixedList<Condition, 8> conditions;

  constexpr std::string_view text() const { return {characters.data(), length}; }
  constexpr std::string_view text(Range range) const { return text().substr(range.begin, range.count); }
};

class ContractParser {
 public:
  constexpr explicit ContractParser(std::string_view text) {
    if (text.size() >= result_.characters.size()) throw ContractSyntax{"a contract has at most 511 characters", 511};
    for (std::size_t i = 0; i < text.size(); ++i) result_.characters[i] = text[i];
    result_.length = static_cast<std::uint16_t>(text.size());
  }

  constexpr ParsedContract parse() {
    result_.op = identifier("an operation name");
    expect(':', "':' after the operation name");
    while (!take("->")) {
      argument(false);
      skip_space();
    }
    argument(true);
    skip_space();
    while (at_ < size() && !keyword("where")) {
      argument(true);
      skip_space();
    }
    if (at_ < size()) {
      at_ += 5;
      do condition();
      while (take(","));
    }
    skip_space();
    if (at_ != size()) fail("nothing more after the conditions");
    return result_;
  }

 private:
  constexpr std::size_t size() const { return result_.length; }
  constexpr char peek() const { return at_ < size() ? result_.characters[at_] : '\0'; }
  // Not constexpr: reaching it while compiling is the compile error.
  [[noreturn]] void fail(const char* wanted) const { throw ContractSyntax{wanted, at_}; }
  static constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t'; }
  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
  }
  constexpr void skip_space() {
    while (at_ < size() && is_space(peek())) ++at_;
  }
  constexpr bool take(std::string_view token) {
    skip_space();
    if (result_.text().substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  constexpr bool keyword(std::string_view word) const {
    return result_.text().substr(at_, word.size()) == word &&
           (at_ + word.size() == size() || !is_name(result_.characters[at_ + word.size()]));
  }
  constexpr void expect(char c, const char* wanted) {
    skip_space();
    if (peek() != c) fail(wanted);
    ++at_;
  }
  template <class T, std::size_t capacity>
  constexpr void add(FixedList<T, capacity>& list, const T& item) {
    if (list.full()) fail("a shorter contract: this one has too many parts");
    list.push_back(item);
  }

  constexpr Range identifier(const char* wanted) {
    skip_space();
    const std::size_t begin = at_;
    if (is_digit(peek())) fail(wanted);
    while (at_ < size() && is_name(peek())) ++at_;
    if (at_ == begin) fail(wanted);
    return {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(at_ - begin)};
  }

  constexpr std::uint8_t dtype_bit() {
    const std::string_view name = result_.text(identifier("an element type"));
    const auto bit = [](DType dtype) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(dtype)); };
    if (name == "f32") return bit(DType::f32);
    if (name == "f16") return bit(DType::f16);
    if (name == "bf16") return bit(DType::bf16);
    if (name == "s8" || name == "int8") return bit(DType::s8);
    if (name == "u8") return bit(DType::u8);
    if (name == "s32") return bit(DType::s32);
    if (name == "i64") return bit(DType::i64);
    fail("an element type: f32, f16, bf16, s8, u8, s32 or i64");
  }

  constexpr void argument(bool output) {
    Argument argument;
    argument.name = identifier(output ? "an output" : "an argument or '->'");
    for (std::size_t i = 0; i < result_.arguments.size(); ++i)
      if (result_.text(result_.arguments[i].name) == result_.text(argument.name)) fail("an argument name of its own");
    argument.optional = take("?");
    argument.output = output;
    expect('[', "'[' and the dimensions");
    argument.dimensions.begin = result_.dimensions.count;
    if (!take("]")) {
      do dimension();
      while (take(","));
      expect(']', "',' or ']' after a dimension");
    }
    argument.dimensions.count = static_cast<std::uint16_t>(result_.dimensions.count - argument.dimensions.begin);
    if (argument.dimensions.count > Shape::kMaxRank) fail("at most eight dimensions");
    if (take(":")) do
        argument.dtypes = static_cast<std::uint8_t>(argument.dtypes | dtype_bit());
      while (take("|"));
    add(result_.arguments, argument);
  }

  constexpr void dimension() {
    Dimension dimension;
    dimension.alternatives.begin = result_.expressions.count;
    do add(result_.expressions, expression());
    while (take("|"));
    dimension.alternatives.count = static_cast<std::uint16_t>(result_.expressions.count - dimension.alternatives.begin);
    add(result_.dimensions, dimension);
  }

  constexpr Range expression() {
    const auto begin = static_cast<std::uint16_t>(result_.steps.count);
    sum();
    return {begin, static_cast<std::uint16_t>(result_.steps.count - begin)};
  }
  constexpr void sum() {
    product();
    for (;;) {
      skip_space();
      const char c = peek();
      if (c != '+' && (c != '-' || result_.text().substr(at_, 2) == "->")) return;
      ++at_;
      product();
      add(result_.steps, Step{c, 0, 0});
    }
  }
  constexpr void product() {
    factor();
    for (;;) {
      skip_space();
      const char c = peek();
      if (c != '*' && c != '/' && c != '%') return;
      ++at_;
      factor();
      add(result_.steps, Step{c, 0, 0});
    }
  }
  constexpr void factor() {
    skip_space();
    if (take("(")) {
      if (++depth_ > 16) fail("fewer brackets inside one another");
      sum();
      --depth_;
      return expect(')', "')'");
    }
    if (is_digit(peek())) {
      std::int64_t value = 0;
      while (is_digit(peek())) {
        value = value * 10 + (peek() - '0');
        if (value > std::int64_t{1} << 40) fail("a smaller number");
        ++at_;
      }
      return add(result_.steps, Step{'n', 0, value});
    }
    add(result_.steps, Step{'l', letter(identifier("a letter or a number")), 0});
  }
  constexpr std::uint8_t letter(Range name) {
    for (std::size_t i = 0; i < result_.letters.size(); ++i)
      if (result_.text(result_.letters[i]) == result_.text(name)) return static_cast<std::uint8_t>(i);
    add(result_.letters, name);
    return static_cast<std::uint8_t>(result_.letters.count - 1);
  }

  constexpr void condition() {
    Condition condition;
    skip_space();
    const std::size_t begin = at_;
    condition.left = expression();
    condition.relation = relation();
    condition.right = expression();
    std::size_t end = at_;
    while (end > begin && is_space(result_.characters[end - 1])) --end;
    condition.text = {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
    add(result_.conditions, condition);
  }
  constexpr Relation relation() {
    if (take("==")) return Relation::equal;
    if (take("!=")) return Relation::not_equal;
    if (take("<=")) return Relation::less_equal;
    if (take(">=")) return Relation::greater_equal;
    if (take("<")) return Relation::less;
    if (take(">")) return Relation::greater;
    fail("a comparison: == != <= >= < >");
  }

  ParsedContract result_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace octavo::detail
