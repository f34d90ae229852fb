// Commands and options as plain text, for help, completions and man pages; of octavo and of octavo-server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// What a value is, so that a shell can complete it.
enum class ValueKind : std::uint8_t { text, file, directory, choice, choice_or_file };
struct Value {
  std::string name;  // in the help: "FILE", "N"
  ValueKind kind = ValueKind::text;
  std::vector<std::string> choices = {};
};

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

/// Summary and details as sentences.
std::string prose(const CommandText& command);
std::string joined(const std::vector<std::string>& words, const std::string& between);

}  // namespace cli
