#include "help.hpp"

#include <algorithm>
#include <memory>
#include <octavo/version.hpp>

namespace cli {

namespace {

constexpr std::size_t kColumns = 100;  // lines are broken here

std::string left_side(const OptionText& option) {
  const bool positional = option.names.front()[0] != '-';
  std::string text = positional || option.names.size() > 1 || option.names.front().size() == 2 ? "" : "    ";
  text += joined(option.names, ", ");
  if (option.takes_value && !positional) text += " " + option.value.name;
  return text;
}

void print_option(std::FILE* to, const OptionText& option) {
  constexpr std::size_t kHelpColumn = 32;
  std::string line = "  " + left_side(option);
  line += line.size() + 2 > kHelpColumn ? "\n" + std::string(kHelpColumn, ' ')
                                        : std::string(kHelpColumn - line.size(), ' ');
  std::fprintf(to, "%s%s\n", line.c_str(), wrapped(option.help, kColumns, kHelpColumn, kHelpColumn).c_str());
}

std::vector<std::string> distinct(const std::vector<OptionText>& options) {
  std::vector<std::string> groups;
  for (const OptionText& option : options)
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  return groups;
}

}  // namespace

std::string synopsis(const CommandText& command) {
  std::string text = "octavo " + command.name;
  for (const OptionText& positional : command.positionals)
    text += positional.required ? " " + positional.value.name : " [" + positional.value.name + "]";
  for (const OptionText& option : command.options)
    if (option.required) text += " " + option.names.front() + " " + option.value.name;
  return command.options.size() > 1 ? text + " [options]" : text;  // --help alone is not worth a word
}

std::string usage_line(const Program& program, const CLI::App& command) {
  return "usage: " + synopsis(describe(program, command));
}

std::string short_name(const CLI::Option& option) {
  return option.get_snames().empty() ? "--" + option.get_lnames().front() : "-" + option.get_snames().front();
}

void print_overview(std::FILE* to, const Program& program) {
  std::fprintf(to, "octavo %s: %s\n\nusage: octavo COMMAND [options]\n", octavo::kVersion,
               program.app().get_description().c_str());
  std::string section;
  for (const CommandText& command : describe_commands(program)) {
    if (command.section != section) std::fprintf(to, "\n%s\n", command.section.c_str());
    section = command.section;
    std::fprintf(to, "  %-11s %s\n", command.name.c_str(), command.summary.c_str());
  }
  std::fprintf(to, "\noctavo COMMAND --help shows a command's options; octavo --version how this one was built.\n");
}

void print_help(std::FILE* to, const Program& program, const CLI::App& app) {
  const CommandText command = describe(program, app);
  std::fprintf(to, "usage: %s\n\n%s\n", synopsis(command).c_str(), wrapped(prose(command), kColumns).c_str());
  if (!command.positionals.empty()) std::fprintf(to, "\n");
  for (const OptionText& positional : command.positionals) print_option(to, positional);
  for (const std::string& group : distinct(command.options)) {
    std::fprintf(to, "\n%s\n", group.c_str());
    for (const OptionText& option : command.options)
      if (option.group == group) print_option(to, option);
  }
  if (!command.example.empty()) std::fprintf(to, "\nExample\n  %s\n", command.example.c_str());
}

void add_help_command(Program& program) {
  const auto name = std::make_shared<std::string>();
  Value command_name{"COMMAND", ValueKind::choice, {"help"}};
  for (const CommandText& command : describe_commands(program)) command_name.choices.push_back(command.name);
  Command command = program.command("help", "Program", "show the options of a command");
  command.positional(command_name, *name, "the command", false);
  command.run([&program, name] {
    if (name->empty()) {
      print_overview(stdout, program);
      return 0;
    }
    for (const CLI::App* each : program.app().get_subcommands([](const CLI::App*) { return true; }))
      if (each->get_name() == *name) {
        print_help(stdout, program, *each);
        return 0;
      }
    program.refuse_command(*name);
  });
}

}  // namespace cli
