// Completion scripts for shells, from a program's description; of octavo and of octavo-server.
#pragma once

#include <string>
#include <vector>

#include "command_text.hpp"

namespace cli {

class Program;

/// The description as the scripts need it.
struct Completed {
  std::string program;                      // "octavo"
  std::string made_by;                      // what prints the script, but for the shell's name: "octavo completion"
  std::vector<CommandText> commands;        // or one without a name: a program that has no commands
  std::vector<OptionText> program_options;  // before a command
  bool has_commands() const { return commands.size() != 1 || !commands.front().name.empty(); }
};
std::string bash_completion(const Completed& program);
std::string zsh_completion(const Completed& program);
std::string fish_completion(const Completed& program);
/// @throws UsageError  for another shell.
std::string completion_of(const std::string& shell, const Completed& program);

void add_completion_command(Program& program);  // octavo completion SHELL

}  // namespace cli
