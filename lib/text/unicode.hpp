// The Unicode questions that a tokenizer asks, answered by utf8proc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace octavo::text {

enum class CharClass : std::uint8_t { letter, number, space, other };

CharClass class_of(std::uint32_t code_point) noexcept;  // \p{L}, \p{N}, \s (White_Space), the rest

// Canonical composition. `text` must be valid UTF-8.
std::string nfc(std::string_view text);

// Decodes the code point at `at` and moves past it. `text` must be valid UTF-8.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) noexcept;

// Length of the valid UTF-8 sequence at the start of `bytes`: 1 to 4; 0 when the bytes are invalid; -1 when they are
// the beginning of a sequence that more bytes could complete. `bad` receives how many bytes an invalid start spans.
int utf8_length(std::string_view bytes, std::size_t& bad) noexcept;

}  // namespace octavo::text
