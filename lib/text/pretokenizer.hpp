// Qwen's split of text into pre-tokens, as a hand-written matcher of its regular expression.
#pragma once

#include <functional>
#include <string_view>

namespace octavo::text {

// The expression that `split` implements, as tokenizer.json spells it.
extern const char* const kQwenPattern;

// Calls visit for each pre-token of valid UTF-8, in order; together they are the text.
void split(std::string_view text, const std::function<void(std::string_view)>& visit);

}  // namespace octavo::text
