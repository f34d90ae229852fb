#include "describe.hpp"

#include <algorithm>

namespace cli {

OptionText describe(const Program& program, const CLI::Option& option) {
  OptionText text;
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  text.help = option.get_description();
  text.group = option.get_group();
  text.required = option.get_required();
  if (const Value* value = program.value_of(&option)) {
    text.takes_value = true;
    text.value = *value;
    if (text.names.empty()) text.names.push_back(value->name);
  }
  return text;
}

CommandText describe(const Program& program, const CLI::App& command) {
  CommandText text;
  text.name = command.get_name();
  text.section = command.get_group();
  text.summary = command.get_description();
  if (const std::size_t blank = text.summary.find("\n\n"); blank != std::string::npos) {
    text.details = text.summary.substr(blank + 2);
    text.summary.resize(blank);
  }
  text.example = command.get_footer();
  for (const CLI::Option* option : command.get_options())
    (option->get_positional() ? text.positionals : text.options).push_back(describe(program, *option));
  std::rotate(text.options.begin(), text.options.begin() + 1, text.options.end());  // --help is the first; last, now
  return text;
}

std::vector<CommandText> describe_commands(const Program& program) {
  std::vector<CommandText> commands;
  for (const CLI::App* command : program.app().get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(describe(program, *command));
  return commands;
}

}  // namespace cli
