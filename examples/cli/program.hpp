// The one description of the program: its commands and their options, as CLI11 applications. Parsing, help,
// completions and the man page all come from it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_text.hpp"

namespace octavo {
struct DecodeOptions;
}

namespace cli {

/// A mistake on the command line: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Program;

/// One command while it is described. Targets must live as long as the program; values are strict: a number is the
/// whole word and in its range, and what can be given once must not be given twice.
class Command {
 public:
  Command(Program& program, CLI::App& app) : program_(program), app_(app) {}

  void group(std::string title) { group_ = std::move(title); }  // of the options that follow
  void flag(const std::string& names, bool& target, const std::string& help);
  void text(const std::string& names, const Value& value, std::string& target, const std::string& help);
  void text(const std::string& names, const Value& value, std::optional<std::string>& target, const std::string& help);
  void texts(const std::string& names, const Value& value, std::vector<std::string>& targets, const std::string& help);
  void integer(const std::string& names, std::optional<std::int64_t>& target, std::int64_t least,
               const std::string& help, std::int64_t most = std::numeric_limits<std::int64_t>::max());
  void integer(const std::string& names, std::int64_t& target, std::int64_t least, const std::string& help,
               std::int64_t most = std::numeric_limits<std::int64_t>::max());
  void number(const std::string& names, std::optional<double>& target, const std::string& help);
  void positional(const Value& value, std::string& target, const std::string& help, bool required = true);
  void require();                                // the option added last
  void threads();                                // -j,--threads, the same for every command that computes
  void pictures(octavo::DecodeOptions& decode);  // how their files are read, the same for every command that reads any
  void json(bool& target, const std::string& help = "one JSON document on standard output");
  void quiet(bool& target);
  void renamed(const std::string& old_name, const std::string& now);  // an old spelling and what to write today
  void example(const std::string& line) { app_.footer(line); }
  void run(std::function<int()> job);

 private:
  using Words = std::vector<std::string>;
  CLI::Option& add(const std::string& names, const Value& value, const std::string& help,
                   std::function<void(const std::string& option, const Words& words)> take);

  Program& program_;
  CLI::App& app_;
  CLI::Option* last_ = nullptr;
  std::string group_ = "Options";
};

class Program {
 public:
  Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// `description`: one line, and after a blank line what else there is to say.
  Command command(const std::string& name, const std::string& section, const std::string& description);
  /// Parses, then runs the command or shows what was asked for; the exit status.
  /// @throws UsageError  and what the command throws.
  int main(int argc, const char* const* argv);

  [[noreturn]] void refuse_command(const std::string& word) const;  // with the nearest one there is
  const CLI::App& app() const { return app_; }
  /// What was typed, as a shell reads it back; since main().
  const std::string& command_line() const { return command_line_; }
  const Value* value_of(const CLI::Option* option) const;  // null for a flag

 private:
  friend class Command;

  void refuse_leftovers(const CLI::App& command) const;
  void refuse_gaps(const CLI::App& command) const;
  void refuse_values(const CLI::App& command, const std::vector<std::string>& words) const;
  [[noreturn]] void explain(const CLI::App& command, const std::exception_ptr& problem,
                            const std::vector<std::string>& words) const;

  CLI::App app_;
  std::string command_line_;
  std::optional<std::int64_t> threads_;
  std::map<const CLI::Option*, Value> values_;
  std::map<const CLI::App*, std::function<int()>> jobs_;
  std::map<std::string, std::string> renamed_;  // "quantize --samples" and what to write instead
};

}  // namespace cli
