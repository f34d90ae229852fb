// Text as the man macros read it (man(7), groff_man(7)); for the pages of octavo and of octavo-server.
#pragma once

#include <string>

#include "command_text.hpp"

namespace cli {

/// A word or line: backslash, minus and apostrophe as such.
std::string roff(const std::string& text);
/// Text that is filled: short lines, each sentence on its own, none that begins with a control character.
std::string paragraph(const std::string& text);
/// An option and what it is for, tagged.
std::string entry(const OptionText& option);

}  // namespace cli
