// Added tokens: found in a text before it is split, as Hugging Face's tokenizers find them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/text.hpp"

namespace octavo::text {

struct AddedToken {
  std::string text;
  std::int32_t id = 0;
  bool special = false;
  bool normalized = false;   // found in the composed text, by its own composed form
  bool single_word = false;  // only between characters that are not \w
  bool lstrip = false;       // takes the white space before it in
  bool rstrip = false;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// `composes`: the tokenizer normalises by NFC.
  AddedTokens(std::vector<AddedToken> tokens, bool composes);

  std::span<const AddedToken> all() const noexcept { return tokens_; }

  /// Cuts valid UTF-8 into added tokens and the normalised text between them, in order; `text` is passed on for the
  /// latter, `token` for the former, the other is null or empty. Inside `literal` special tokens are text.
  void cut(std::string_view text, std::span<const TextRange> literal,
           const std::function<void(const AddedToken* token, std::string_view text)>& visit) const;

 private:
  struct Pattern {
    std::string text;
    std::size_t token;
  };
  // By first byte, the longest first: the longest match at the leftmost place wins.
  using Patterns = std::vector<std::vector<Pattern>>;

  void find(const Patterns& patterns, std::string_view text, std::span<const TextRange> literal,
            const std::function<void(const AddedToken* token, std::string_view text)>& visit) const;

  std::vector<AddedToken> tokens_;
  Patterns as_written_, composed_;
  bool composes_ = true;
};

}  // namespace octavo::text
