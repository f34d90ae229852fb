#include "completion.hpp"

namespace cli {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + "'";
}

// Files are off for the program as a whole; -F turns them on again.
std::string completes(const Value& value) {
  const std::string words = joined(value.choices, " ");
  switch (value.kind) {
    case ValueKind::text:
      return "";
    case ValueKind::file:
      return " -F";
    case ValueKind::directory:
      return " -a '(__fish_complete_directories)'";
    case ValueKind::choice:
      return " -a " + quoted(words);
    case ValueKind::choice_or_file:
      return " -F -a " + quoted(words);
  }
  return "";
}

// `condition`: when it is offered; "": always.
std::string line(const std::string& program, const std::string& condition, const OptionText& option) {
  std::string text = "complete -c " + program + (condition.empty() ? "" : " -n " + quoted(condition));
  for (const std::string& name : option.names) {
    if (name[0] != '-') continue;
    text += name[1] == '-' ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.takes_value && option.names.front()[0] == '-') text += " -r";
  if (option.takes_value) text += completes(option.value);
  return text + " -d " + quoted(option.help) + "\n";
}

}  // namespace

std::string fish_completion(const Completed& program) {
  const std::string& name = program.program;
  std::string script =
      "# fish completion of " + name + "; made by: " + program.made_by + " fish\ncomplete -c " + name + " -f\n";
  const std::string none = "__fish_use_subcommand";
  for (const OptionText& option : program.program_options) script += line(name, none, option);
  for (const CommandText& command : program.commands)
    if (program.has_commands())
      script += "complete -c " + name + " -n " + none + " -a " + command.name + " -d " + quoted(command.summary) + "\n";
  for (const CommandText& command : program.commands) {
    const std::string condition = program.has_commands() ? "__fish_seen_subcommand_from " + command.name : "";
    if (!command.positionals.empty()) script += line(name, condition, command.positionals.front());
    for (const OptionText& option : command.options) script += line(name, condition, option);
  }
  return script;
}

}  // namespace cli
