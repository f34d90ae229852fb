// The program's description as plain text, for help, completions and the man page: read from the CLI11 applications.
#pragma once

#include <string>
#include <vector>

#include "program.hpp"

namespace cli {

struct OptionText {
  std::vector<std::string> names;  // "-o", "--out"; of a positional its value's name
  std::string help, group;
  bool takes_value = false, required = false;
  Value value;  // where one is taken
};

struct CommandText {
  std::string name, section, summary, details, example;
  std::vector<OptionText> positionals, options;
};

CommandText describe(const Program& program, const CLI::App& command);
std::vector<CommandText> describe_commands(const Program& program);
OptionText describe(const Program& program, const CLI::Option& option);

/// Summary and details as sentences.
std::string prose(const CommandText& command);
std::string joined(const std::vector<std::string>& words, const std::string& between);

}  // namespace cli
