#include "stop_strings.hpp"

#include <algorithm>

#include "octavo/error.hpp"

namespace octavo::model {

StopStrings::StopStrings(std::vector<std::string> strings, const Tokenizer* tokenizer,
                         std::span<const std::int32_t> prompt)
    : strings_(std::move(strings)), tokenizer_(tokenizer) {
  if (strings_.empty()) return;
  if (tokenizer_ == nullptr)
    throw Error(ErrorCode::not_found,
                "generate: stop_strings are texts, and the directory has no tokenizer: copy its "
                "files here, or stop at token ids");
  for (const std::string& text : strings_) {
    if (text.empty()) throw Error(ErrorCode::invalid_argument, "generate: a stop string is empty");
    longest_ = std::max(longest_, text.size());
  }
  for (std::size_t i = prompt.size(); i > 0 && before_.size() + 1 < longest_; --i)
    before_.insert(0, tokenizer_->token_bytes(prompt[i - 1]));
  if (before_.size() + 1 > longest_) before_.erase(0, before_.size() + 1 - longest_);
}

bool StopStrings::ends_with(std::int32_t id) {
  if (strings_.empty()) return false;
  const std::size_t token_begin = before_.size();
  before_ += tokenizer_->token_bytes(id);
  const bool found = std::any_of(strings_.begin(), strings_.end(), [&](const std::string& text) {
    const std::size_t first = token_begin + 1 > text.size() ? token_begin + 1 - text.size() : 0;
    return before_.find(text, first) != std::string::npos;
  });
  if (before_.size() + 1 > longest_) before_.erase(0, before_.size() + 1 - longest_);
  return found;
}

}  // namespace octavo::model
