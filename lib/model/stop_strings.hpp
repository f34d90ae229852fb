// Texts that end an answer, looked for as it grows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "octavo/text.hpp"

namespace octavo::model {

class StopStrings {
 public:
  /// `prompt`: its end may be the beginning of one, as in transformers.
  StopStrings(std::vector<std::string> strings, const Tokenizer* tokenizer, std::span<const std::int32_t> prompt);

  /// Whether one ends in this token. Special tokens count with their text.
  bool ends_with(std::int32_t id);

 private:
  std::vector<std::string> strings_;
  const Tokenizer* tokenizer_;
  std::size_t longest_ = 0;
  std::string before_;  // the last bytes in which one may have begun
};

}  // namespace octavo::model
