// The program's standard streams: what was written must have arrived, and colour only where it is welcome.
#pragma once

#include <cstdio>
#include <string>

namespace cli {

/// Before anything is opened: a standard stream that the caller closed is opened on /dev/null, so that no file of ours
/// takes its number. What is written to a closed standard output is an error, as finish_output says.
void reserve_streams();

/// Flushes standard output; false, with one line on standard error, where something did not arrive.
bool finish_output();

enum class Colour { red, green };
/// `text` in that colour where `to` is a terminal that knows colours and NO_COLOR is unset or empty (no-color.org).
std::string coloured(std::FILE* to, Colour colour, const std::string& text);

/// A word as a POSIX shell reads it back: quoted where it has to be.
std::string shell_word(const std::string& word);

}  // namespace cli
