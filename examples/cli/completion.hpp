// Completion scripts for shells, from the program's description.
#pragma once

#include <string>
#include <vector>

#include "describe.hpp"

namespace cli {

/// The description as the scripts need it.
struct Completed {
  std::vector<CommandText> commands;
  std::vector<OptionText> program_options;
};
std::string bash_completion(const Completed& program);
std::string zsh_completion(const Completed& program);
std::string fish_completion(const Completed& program);

void add_completion_command(Program& program);  // octavo completion SHELL

}  // namespace cli
