/// @file
/// Regular expressions out of files: those of Python's `re`, which compressed-tensors gives its patterns to.
///
///     const Pattern linears(R"(model\.layers\.\d+\.mlp\..*_proj)", "recipe.json: rules[0].match");
///     if (linears.matches("model.layers.3.mlp.up_proj")) ...
///
/// The syntax is Python 3.11's for text: what Python refuses is refused, and so are the few things that PCRE2, which
/// does the work, cannot do alike (characters by name, the flags a and L, counts above 65535). The source of the
/// syntax: https://docs.python.org/3.11/library/re.html
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace octavo {

/// One expression, compiled once. Immutable: may be used from many threads; copies share what was compiled.
class Pattern {
 public:
  /// Matches nothing; its text is empty.
  Pattern() = default;
  /// @param text   The expression, UTF-8, at most 1024 characters.
  /// @param where  Where it stands, for messages: "config.json: quantization_config.ignore[3]".
  /// @throws Error  format, naming `where`, the expression and what is wrong with it, when it is too long or too large,
  ///                Python would refuse it, or PCRE2 cannot do it.
  Pattern(const std::string& text, const std::string& where);
  /// For a recipe made in a program: never throws but for memory; what the other one throws, `matches` does.
  Pattern(const std::string& text);                          // NOLINT: a rule's match is set from a string
  Pattern(const char* text) : Pattern(std::string(text)) {}  // NOLINT: as above

  /// Python's re.match: whether the expression fits from the first character on; the end may be left over.
  /// Steps and memory are limited, so that no expression takes long on any name.
  /// @throws Error  format, naming the expression and where it stands, when the limit is reached; or as said above.
  bool matches(std::string_view name) const;
  const std::string& text() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace octavo
