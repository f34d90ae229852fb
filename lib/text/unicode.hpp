// The Unicode questions that a tokenizer asks. The tables are those of Hugging Face's tokenizers, whatever version of
// Unicode each of them is (tests/interop/unicode_tables.py), so that ids do not depend on a library of the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace octavo::text {

enum class CharClass : std::uint8_t { letter, number, space, other };

CharClass class_of(std::uint32_t code_point) noexcept;  // \p{L}, \p{N}, \s (White_Space), the rest

// \w, which decides where an added token with single_word may stand.
bool is_word_character(std::uint32_t code_point) noexcept;

// Canonical composition (UAX #15). `text` must be valid UTF-8.
std::string nfc(std::string_view text);

// Decodes the code point at `at` and moves past it. `text` must be valid UTF-8.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) noexcept;

// Where the code point that ends at `end` begins. `text` must be valid UTF-8, `end` > 0.
std::size_t previous_begin(std::string_view text, std::size_t end) noexcept;

void append_utf8(std::uint32_t code_point, std::string& text);

// Length of the valid UTF-8 sequence at the start of `bytes`: 1 to 4; 0 when the bytes are invalid; -1 when they are
// the beginning of a sequence that more bytes could complete. `bad` receives how many bytes an invalid start spans.
int utf8_length(std::string_view bytes, std::size_t& bad) noexcept;

}  // namespace octavo::text
