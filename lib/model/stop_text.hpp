// Texts that end an answer and are left out of it.
#pragma once

#include <string>
#include <vector>

namespace octavo::model {

/// Lets a growing text through as far as it cannot be part of a stop string.
class StopText {
 public:
  /// @throws Error  invalid_argument for an empty string.
  explicit StopText(std::vector<std::string> strings);

  /// What can be told of the text held back and `text` behind it. Of several strings the one that ends first counts, of
  /// those the longest, so that it does not matter in which pieces the text comes. Nothing once one was found.
  std::string push(const std::string& text);
  /// What is still held back: no stop string came of it.
  std::string finish();
  bool found() const noexcept { return found_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  bool found_ = false;
};

}  // namespace octavo::model
