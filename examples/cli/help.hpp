// Help on a terminal.
#pragma once

#include <cstdio>
#include <string>

#include "describe.hpp"
#include "program.hpp"

namespace cli {

void print_overview(std::FILE* to, const Program& program);
void print_help(std::FILE* to, const Program& program, const CLI::App& command);
/// Words of `text` in lines that end before `columns`, every line after the first behind `indent` spaces; the first one
/// begins at `first_column`.
std::string wrapped(const std::string& text, std::size_t columns, std::size_t first_column = 0, std::size_t indent = 0);
std::string synopsis(const CommandText& command);                         // "octavo check MODEL [options]"
std::string usage_line(const Program& program, const CLI::App& command);  // "usage: " and the synopsis
std::string short_name(const CLI::Option& option);                        // "-o", else "--prompt"
void add_help_command(Program& program);                                  // octavo help COMMAND

}  // namespace cli
