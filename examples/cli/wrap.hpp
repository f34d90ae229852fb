// Text in lines of a width.
#pragma once

#include <cstddef>
#include <string>

namespace cli {

/// Words of `text` in lines that end before `columns`, every line after the first behind `indent` spaces; the first one
/// begins at `first_column`.
std::string wrapped(const std::string& text, std::size_t columns, std::size_t first_column = 0, std::size_t indent = 0);

}  // namespace cli
