// Help on a terminal.
#pragma once

#include <cstdio>
#include <string>

#include "describe.hpp"
#include "program.hpp"
#include "wrap.hpp"

namespace cli {

void print_overview(std::FILE* to, const Program& program);
void print_help(std::FILE* to, const Program& program, const CLI::App& command);
std::string synopsis(const CommandText& command);                         // "octavo check MODEL [options]"
std::string usage_line(const Program& program, const CLI::App& command);  // "usage: " and the synopsis
std::string short_name(const CLI::Option& option);                        // "-o", else "--prompt"
void add_help_command(Program& program);                                  // octavo help COMMAND

}  // namespace cli
