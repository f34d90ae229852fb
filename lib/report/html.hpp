/// What the pages of this module share: text made safe, numbers for people, the look.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace octavo::html {

/// Foreign text for content and for quoted attributes. Bytes that are not UTF-8, and control characters, become U+FFFD.
std::string escaped(std::string_view text);
std::string code(std::string_view text);  ///< "" of ""
std::string tag(std::string_view kind, std::string_view word);
std::string plural(std::int64_t count, const std::string& one);  ///< "3 samples"

// Numbers; what is not finite is said in words.
std::string number(double value);               ///< four significant digits
std::string percent(double share);              ///< "97.9 %", "0.34 %", with a space that does not break
std::string size_text(std::uint64_t bytes);     ///< "6.51 MB"
std::string seconds_text(double seconds);       ///< "0.42 s", "3 min 20 s"
std::string fixed(double value, int decimals);  ///< for coordinates and attributes; 0 of what is not finite

/// A whole document: no script, no network; light or dark as the reader's system asks. `style` comes after the common
/// one; `body` is markup.
std::string document(std::string_view title, std::string_view style, std::string_view body);

}  // namespace octavo::html
