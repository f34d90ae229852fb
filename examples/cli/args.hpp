// The command line: one table of options per command, strict, with the nearest known name for a misspelt one.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace cli {

struct Option {
  std::string name;   // "--image"
  std::string value;  // "FILE"; "" for a flag
  std::string help;
};

struct Command {
  std::string name, synopsis, summary, example;
  std::size_t positionals = 1;  // exactly so many
  std::vector<Option> options;
  std::size_t optional_positionals = 0;  // so many more may follow
};

// A mistake on the command line: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Args {
 public:
  Args(const Command& command, const std::vector<std::string>& words);
  const std::string& positional(std::size_t i) const { return positionals_[i]; }
  std::size_t positionals() const { return positionals_.size(); }
  bool has(const std::string& option) const { return values_.count(option) != 0; }
  std::string text(const std::string& option, const std::string& fallback = "") const;
  std::vector<std::string> all(const std::string& option) const;
  std::int64_t integer(const std::string& option, std::int64_t fallback, std::int64_t least) const;
  double number(const std::string& option, double fallback) const;

 private:
  std::vector<std::string> positionals_;
  std::map<std::string, std::vector<std::string>> values_;
};

std::string nearest(const std::string& word, const std::vector<std::string>& known);  // "" when none is near
void print_help(const Command& command);

}  // namespace cli
