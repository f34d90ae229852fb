#include "completion.hpp"

namespace cli {

namespace {

// In single quotes, as the text of an _arguments specification: \ before [ ] :.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\'') {
      out += "'\\''";
      continue;
    }
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
    out += letter;
  }
  return out;
}

std::string action(const Value& value) {
  const std::string words = joined(value.choices, " ");
  switch (value.kind) {
    case ValueKind::text:
      return " ";
    case ValueKind::file:
      return "_files";
    case ValueKind::directory:
      return "_files -/";
    case ValueKind::choice:
      return "(" + words + ")";
    case ValueKind::choice_or_file:
      return "_alternative \"words\\:word\\:(" + words + ")\" \"files\\:file\\:_files\"";
  }
  return " ";
}

std::string specification(const OptionText& option) {
  const bool positional = option.names.front()[0] != '-';
  const std::string value = escaped(option.value.name) + ":" + action(option.value);
  if (positional) return std::string("'") + (option.required ? ":" : "::") + value + "'";
  std::string names = option.names.front();
  std::string before = "'(" + joined(option.names, " ") + ")'";
  if (option.names.size() > 1) names = "'{" + joined(option.names, ",") + "}'";
  const std::string text = "[" + escaped(option.help) + "]" + (option.takes_value ? ":" + value : "");
  return option.names.size() > 1 ? before + names.substr(1, names.size() - 2) + "'" + text + "'"
                                 : "'" + names + text + "'";
}

std::string arguments(const CommandText& command, const std::string& indent) {
  std::string text = indent + "_arguments -s -S";
  for (const OptionText& option : command.options) text += " \\\n" + indent + "  " + specification(option);
  for (const OptionText& positional : command.positionals) text += " \\\n" + indent + "  " + specification(positional);
  return text + "\n";
}

// The first word is a command, and what follows is its own.
std::string with_commands(const Completed& program) {
  std::string commands, cases, options;
  for (const OptionText& option : program.program_options) options += "    " + specification(option) + " \\\n";
  for (const CommandText& command : program.commands) {
    commands += "    '" + command.name + ":" + escaped(command.summary) + "'\n";
    cases += "        " + command.name + ")\n" + arguments(command, "          ") + "          ;;\n";
  }
  return "  local -a commands=(\n" + commands +
         "  )\n"
         "  _arguments -s -S -C \\\n" +
         options +
         "    '1:command:->command' \\\n"
         "    '*::argument:->arguments'\n"
         "  case $state in\n"
         "    command) _describe command commands ;;\n"
         "    arguments)\n"
         "      case $line[1] in\n" +
         cases +
         "      esac\n"
         "      ;;\n"
         "  esac\n";
}

}  // namespace

std::string zsh_completion(const Completed& program) {
  const std::string function = "_" + program.program;
  return "#compdef " + program.program + "\n# zsh completion of " + program.program + "; made by: " + program.made_by +
         " zsh\n" + function +
         "() {\n"
         "  local context state state_descr line\n"
         "  typeset -A opt_args\n" +
         (program.has_commands() ? with_commands(program) : arguments(program.commands.front(), "  ")) +
         "}\n"
         "if [[ $funcstack[1] == " +
         function + " ]]; then " + function + " \"$@\"; else compdef " + function + " " + program.program + "; fi\n";
}

}  // namespace cli
