/// @file
/// Values out of files in messages: short, on one line, and lists with an end.
///
///     throw Error(ErrorCode::format, where + " is " + in_quotes(value) + ", one of ... is needed");
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace octavo {

/// `value` as a message shows it: at most `most` characters (UTF-8 code points; then "... (1234 characters)"), control
/// characters, and what is no UTF-8, as Python writes them, so that a file cannot fill a log or speak to a terminal.
std::string shortened(std::string_view value, std::size_t most = 200);
/// The same in double quotes.
std::string in_quotes(std::string_view value);
/// `"a", "b" and 3 more`: the first `most` of `values`, quoted.
std::string quoted_list(std::span<const std::string> values, std::size_t most = 5);

}  // namespace octavo
