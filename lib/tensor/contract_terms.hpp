// What the letters mean in the field's terms, and what to do about the mistakes that are known.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace octavo {

// What a broken contract knows: the place, both values, and every bound letter.
struct Violation {
  std::string_view op, argument;  // argument: "" when a condition broke
  std::string_view letter;        // "" when the dimension is an expression; "rank"
  std::string_view condition;     // its text, when one broke
  std::int64_t expected = 0, actual = 0;
  std::function<std::optional<std::int64_t>(std::string_view letter)> value_of;
};

// Whether a letter counts the rows of a call: tokens, positions, patches.
bool counts_rows(std::string_view letter) noexcept;

// "" when the mistake is not a known one.
std::string remedy_for(const Violation& violation);

}  // namespace octavo
