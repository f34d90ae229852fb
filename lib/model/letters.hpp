// A font of five by seven dots for labels in pictures, drawn for Octavo.
#pragma once

#include <cstdint>
#include <string_view>

namespace octavo::model {

inline constexpr std::int64_t kLetterWidth = 5, kLetterHeight = 7;

/// Its dots row by row, kLetterWidth * kLetterHeight of them; `#` is ink. An empty box for what is not ASCII.
std::string_view letter_dots(char32_t letter);

}  // namespace octavo::model
