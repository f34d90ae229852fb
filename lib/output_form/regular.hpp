// Regular expressions, as far as they are regular.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "characters.hpp"
#include "grammar.hpp"

namespace octavo::output_form {

/// A parsed expression: of ECMA-262's syntax with the flag u what needs no memory. `\d`, `\w` and `\s` are ASCII's, and
/// `\D`, `\W` and `\S` the other characters of ASCII, so that they match wherever an expression is read, be `\d`
/// Unicode's there or not. `^` and `$` are read at the ends of the expression's alternatives.
class Regular {
 public:
  /// @param whole  Whether it describes the whole text. Otherwise anything may stand before and behind, but for what
  ///               `^` and `$` say: as JSON Schema's `pattern`.
  /// @throws Error  format or unsupported, naming the byte.
  static Regular parse(std::string_view expression, bool whole);

  using Edges = void (*)(Grammar&, StateId from, StateId to, const CharacterSet&);
  /// Its texts, whose characters are written with `edges`.
  StateId write(Grammar& grammar, StateId from, Edges edges) const;

  struct Node {
    enum class Kind : std::uint8_t { characters, sequence, choice, repeat } kind = Kind::sequence;
    CharacterSet characters{};
    std::vector<Node> parts{};
    std::uint32_t least = 0, most = 0;  // of a repeat
  };
  static constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;

 private:
  std::shared_ptr<const Node> root_;
};

}  // namespace octavo::output_form
