// Parsing: CLI11 takes the words apart, the messages are ours.
#include "program.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <octavo/nearest.hpp>
#include <octavo/parallel.hpp>
#include <utility>

#include "help.hpp"
#include "streams.hpp"
#include "version.hpp"

namespace cli {

namespace {

bool is_given(const CLI::App& app, const char* option) { return app.get_option(option)->count() > 0; }

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// CLI11 would take the next word for the value.
void refuse_empty_values(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return;
    if (word.size() > 3 && word.rfind("--", 0) == 0 && word.find('=') == word.size() - 1)
      throw UsageError(word + " has no value: leave the option out, or write the value as the next word");
  }
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string help_command(const CLI::App& command) { return "octavo " + command.get_name() + " --help"; }

}  // namespace

Program::Program() : app_("quantizes, verifies and runs vision-language models in W8A8 on a CPU", "octavo") {
  app_.set_help_flag();
  app_.require_subcommand(1);
  // Asked by count(): targets are not set where the parse ends early.
  const auto flag = [this](const char* names, const char* help) {
    app_.add_flag_function(
        names, [](std::int64_t) {}, help);
  };
  flag("-h,--help", "show this");
  flag("-V,--version", "version, how it was built, and what this machine offers it");
  flag("--json", "with --version: as one JSON document");
}

Command Program::command(const std::string& name, const std::string& section, const std::string& description) {
  CLI::App* app = app_.add_subcommand(name, description)->group(section);
  app->add_flag_function(
         "-h,--help", [](std::int64_t) {}, "show this")
      ->group("Help");
  return {*this, *app};
}

const Value* Program::value_of(const CLI::Option* option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? nullptr : &found->second;
}

void Program::refuse_command(const std::string& word) const {
  std::vector<std::string> known;
  if (is_option(word)) {
    for (const CLI::Option* option : app_.get_options()) known.push_back("--" + option->get_lnames().front());
  } else {
    for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(command->get_name());
  }
  std::string near = octavo::nearest(word, known);
  if (near.empty() && app_.get_option_no_throw("--" + word) != nullptr) near = "--" + word;
  throw UsageError("unknown " + std::string(is_option(word) ? "option " : "command ") + word +
                   (near.empty() ? "; octavo --help lists them" : "; did you mean " + near + "?"));
}

void Program::refuse_leftovers(const CLI::App& command) const {
  std::vector<std::string> left = command.remaining();
  // CLI11 leaves the mark itself; behind it, nothing is an option.
  const auto mark = std::find(left.begin(), left.end(), "--");
  const auto found = std::find_if(left.begin(), mark, is_option);
  if (found == mark) {
    if (mark != left.end()) left.erase(mark);
    if (left.empty()) return;
    throw UsageError("unexpected argument " + left.front() + "; " + usage_line(*this, command));
  }
  const std::string word = found->substr(0, found->find('='));
  if (const auto old = renamed_.find(command.get_name() + " " + word); old != renamed_.end())
    throw UsageError(word + " is now " + old->second);
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  const std::string near = octavo::nearest(word, known);
  throw UsageError("unknown option " + word +
                   (near.empty() ? "; see " + help_command(command) : "; did you mean " + near + "?"));
}

void Program::refuse_gaps(const CLI::App& command) const {
  std::string missing;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_required() || option->count() > 0) continue;
    if (!missing.empty()) missing += " and ";
    if (!option->get_positional()) missing += short_name(*option) + " ";
    missing += value_of(option)->name;
  }
  if (!missing.empty())
    throw UsageError("octavo " + command.get_name() + " needs " + missing + "; " + usage_line(*this, command));
}

void Program::refuse_values(const CLI::App& command, const std::vector<std::string>& words) const {
  for (const std::string& word : words) {
    if (!is_option(word)) continue;
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) continue;
    if (equals != std::string::npos && value_of(option) == nullptr) throw UsageError(name + " takes no value");
    if (equals == std::string::npos && value_of(option) != nullptr && &word == &words.back())
      throw UsageError(name + " needs a value, " + value_of(option)->name);
  }
}

void Program::explain(const CLI::App& command, const std::exception_ptr& problem,
                      const std::vector<std::string>& words) const {
  try {
    std::rethrow_exception(problem);
  } catch (const CLI::ParseError& error) {
    refuse_values(command, words);
    refuse_gaps(command);
    throw UsageError(one_line(error.what()) + "; see " + help_command(command));
  }
}

int Program::main(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    print_overview(stderr, *this);
    return 2;
  }
  command_line_ = "octavo";
  for (const std::string& word : words) command_line_ += " " + shell_word(word);
  std::exception_ptr problem;
  refuse_empty_values(words);
  try {
    app_.parse(argc, argv);
  } catch (const std::exception&) {
    problem = std::current_exception();
  }
  // What is wrong, most telling first: a word that nothing knows explains what seems to be missing.
  const std::vector<CLI::App*> chosen = app_.get_subcommands();
  const CLI::App& command = chosen.empty() ? app_ : *chosen.front();
  if (const std::vector<std::string> left = app_.remaining(); !left.empty()) {
    if (chosen.empty()) refuse_command(left.front());
    throw UsageError("unexpected argument " + left.back() + "; " + usage_line(*this, command));
  }
  if (!chosen.empty() && !is_option(words.front()))  // read by CLI11 as the program's, behind a "--" of the command
    for (const char* option : {"--help", "--version", "--json"})
      if (is_given(app_, option))
        throw UsageError("unexpected argument " + std::string(option) + "; " + usage_line(*this, command));
  if (is_given(command, "--help") || is_given(app_, "--help")) {
    chosen.empty() ? print_overview(stdout, *this) : print_help(stdout, *this, command);
    return 0;
  }
  if (is_given(app_, "--version") && chosen.empty()) return print_version(is_given(app_, "--json"));
  if (!chosen.empty() && (is_given(app_, "--version") || is_given(app_, "--json")))
    throw UsageError("options stand after the command: octavo COMMAND [options]");
  if (chosen.empty()) throw UsageError("a command is needed; octavo --help lists them");
  refuse_leftovers(command);
  if (problem) explain(command, problem, words);
  if (threads_) octavo::set_num_threads(static_cast<int>(*threads_));
  return jobs_.at(&command)();
}

}  // namespace cli
