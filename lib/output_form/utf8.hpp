// Characters of UTF-8, one at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace octavo::output_form {

/// The character that begins at `at`, which moves behind it; none for bytes that are not UTF-8.
std::optional<char32_t> read_utf8(std::string_view text, std::size_t& at);

bool is_utf8(std::string_view text);

}  // namespace octavo::output_form
