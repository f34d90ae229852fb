/// Python's regular expressions rewritten in PCRE2's syntax.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace octavo::pattern_detail {

/// What Python says of a pattern that it refuses, or we of one that cannot be rewritten.
class SyntaxError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The same expression for PCRE2 with PCRE2_UTF and PCRE2_UCP. Nothing of the input reaches the output unread: every
/// construct is parsed by Python's rules first, so that no syntax of PCRE2 alone (verbs, recursion, callouts) gets in.
/// @throws SyntaxError
std::string to_pcre2(std::string_view python);

}  // namespace octavo::pattern_detail
