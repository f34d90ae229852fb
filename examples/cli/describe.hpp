// The program's description as plain text, read from the CLI11 applications.
#pragma once

#include <vector>

#include "command_text.hpp"
#include "program.hpp"

namespace cli {

CommandText describe(const Program& program, const CLI::App& command);
std::vector<CommandText> describe_commands(const Program& program);
OptionText describe(const Program& program, const CLI::Option& option);

}  // namespace cli
