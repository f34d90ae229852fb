#include "args.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace cli {

namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = 4;  // further away is no misspelling
  for (const std::string& name : known)
    if (const std::size_t distance = edit_distance(word, name); distance < least) {
      least = distance;
      best = name;
    }
  return best;
}

Args::Args(const Command& command, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Option& option : command.options) names.push_back(option.name);
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word.size() < 2 || word[0] != '-') {
      positionals_.push_back(word);
      continue;
    }
    std::string value;
    const std::size_t equals = word.find('=');
    const bool inline_value = word.rfind("--", 0) == 0 && equals != std::string::npos;
    if (inline_value) {
      value = word.substr(equals + 1);
      word.resize(equals);
    }
    const auto found = std::find_if(command.options.begin(), command.options.end(),
                                    [&](const Option& option) { return option.name == word; });
    if (found == command.options.end()) {
      const std::string near = nearest(word, names);
      throw UsageError("unknown option " + word + (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (found->value.empty() && inline_value) throw UsageError(word + " takes no value");
    if (!found->value.empty() && !inline_value) {
      if (i + 1 == words.size()) throw UsageError(word + " needs a value, " + found->value);
      value = words[++i];
    }
    values_[word].push_back(value);
  }
  const std::size_t most = command.positionals + command.optional_positionals;
  if (positionals_.size() < command.positionals || positionals_.size() > most)
    throw UsageError("octavo " + command.name + " takes " + std::to_string(command.positionals) +
                     (most > command.positionals ? " to " + std::to_string(most) : "") + " path(s), " +
                     std::to_string(positionals_.size()) + " given: octavo " + command.name + " " + command.synopsis);
}

std::string Args::text(const std::string& option, const std::string& fallback) const {
  const auto found = values_.find(option);
  return found == values_.end() ? fallback : found->second.back();
}

std::vector<std::string> Args::all(const std::string& option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::int64_t Args::integer(const std::string& option, std::int64_t fallback, std::int64_t least) const {
  if (!has(option)) return fallback;
  const std::string value = text(option);
  std::size_t used = 0;
  std::int64_t number = 0;
  try {
    number = std::stoll(value, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != value.size() || number < least)
    throw UsageError(option + " is \"" + value + "\", an integer of at least " + std::to_string(least) + " is needed");
  return number;
}

double Args::number(const std::string& option, double fallback) const {
  if (!has(option)) return fallback;
  const std::string value = text(option);
  std::size_t used = 0;
  double number = 0;
  try {
    number = std::stod(value, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != value.size()) throw UsageError(option + " is \"" + value + "\", a number is needed");
  return number;
}

void print_help(const Command& command) {
  std::printf("octavo %s %s\n\n%s\n\n", command.name.c_str(), command.synopsis.c_str(), command.summary.c_str());
  for (const Option& option : command.options)
    std::printf("  %-28s %s\n", (option.name + (option.value.empty() ? "" : " " + option.value)).c_str(),
                option.help.c_str());
  std::printf("\nExample:  %s\n", command.example.c_str());
}

}  // namespace cli
