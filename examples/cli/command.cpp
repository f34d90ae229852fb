// How a command's options are added, and how strict their values are.
#include <charconv>
#include <cmath>
#include <octavo/image.hpp>
#include <utility>

#include "program.hpp"

namespace cli {

namespace {

template <class Number>
bool whole_word(const std::string& word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

std::int64_t to_integer(const std::string& option, const std::string& word, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  if (whole_word(word, number) && number >= least && number <= most) return number;
  throw UsageError(option + " is \"" + word + "\", an integer " +
                   (most == std::numeric_limits<std::int64_t>::max()
                        ? "of at least " + std::to_string(least)
                        : "from " + std::to_string(least) + " to " + std::to_string(most)) +
                   " is needed");
}

double to_number(const std::string& option, const std::string& word) {
  double number = 0;
  if (whole_word(word, number) && std::isfinite(number)) return number;
  throw UsageError(option + " is \"" + word + "\", a number is needed");
}

}  // namespace

CLI::Option& Command::add(const std::string& names, const Value& value, const std::string& help,
                          std::function<void(const std::string&, const Words&)> take) {
  const std::string shown = names.substr(names.rfind(',') + 1);  // the long name
  CLI::Option* option =
      app_.add_option(names, CLI::callback_t([shown, take = std::move(take)](const CLI::results_t& words) {
                        take(shown, words);
                        return true;
                      }),
                      help);
  // One word per mention; that a mention is one too many is said by whoever takes the words.
  option->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->group(group_);
  program_.values_.emplace(option, value);
  last_ = option;
  return *option;
}

namespace {
const std::string& only(const std::string& option, const std::vector<std::string>& words) {
  if (words.size() != 1)
    throw UsageError(option + " is given " + std::to_string(words.size()) + " times, once is right");
  return words.front();
}
}  // namespace

void Command::flag(const std::string& names, bool& target, const std::string& help) {
  last_ = app_.add_flag(names, target, help)->disable_flag_override()->group(group_);
}

void Command::text(const std::string& names, const Value& value, std::string& target, const std::string& help) {
  add(names, value, help, [&target](const std::string& option, const Words& words) { target = only(option, words); });
}

void Command::text(const std::string& names, const Value& value, std::optional<std::string>& target,
                   const std::string& help) {
  add(names, value, help, [&target](const std::string& option, const Words& words) { target = only(option, words); });
}

void Command::texts(const std::string& names, const Value& value, std::vector<std::string>& targets,
                    const std::string& help) {
  add(names, value, help, [&targets](const std::string&, const Words& words) { targets = words; });
}

void Command::integer(const std::string& names, std::optional<std::int64_t>& target, std::int64_t least,
                      const std::string& help, std::int64_t most) {
  add(names, {"N"}, help, [&target, least, most](const std::string& option, const Words& words) {
    target = to_integer(option, only(option, words), least, most);
  });
}

void Command::integer(const std::string& names, std::int64_t& target, std::int64_t least, const std::string& help,
                      std::int64_t most) {
  add(names, {"N"}, help, [&target, least, most](const std::string& option, const Words& words) {
    target = to_integer(option, only(option, words), least, most);
  });
}

void Command::number(const std::string& names, std::optional<double>& target, const std::string& help) {
  add(names, {"X"}, help,
      [&target](const std::string& option, const Words& words) { target = to_number(option, only(option, words)); });
}

void Command::positional(const Value& value, std::string& target, const std::string& help, bool required) {
  text(value.name, value, target, help);
  last_->required(required);
}

void Command::require() { last_->required(); }

void Command::threads() {
  group("Machine");
  integer("-j,--threads", program_.threads_, 1, "threads to use (default: one per core)", 4096);
}

void Command::pictures(octavo::DecodeOptions& decode) {
  group("Pictures");
  last_ = app_.add_flag_callback(
                  "--no-orientation", [&decode] { decode.apply_orientation = false; },
                  "leave pictures as they are stored, not turned as EXIF or XMP says")
              ->disable_flag_override()
              ->group(group_);
  add("--transparency", {"HOW", ValueKind::choice, {"white", "drop"}},
      "white: composited on white; drop: alpha is left out (white)",
      [&decode](const std::string& option, const Words& words) {
        const std::string& word = only(option, words);
        if (word != "white" && word != "drop")
          throw UsageError(option + " is \"" + word + "\", one of white, drop is needed");
        decode.transparency = word == "drop" ? octavo::Transparency::drop : octavo::Transparency::white;
      });
  constexpr std::int64_t kMost = std::int64_t{1} << 56;
  integer("--max-decoded-pixels", decode.max_pixels, 1, "refuse larger picture files (178956970)", kMost);
  integer("--max-decoded-bytes", decode.max_bytes, 1, "refuse those that take more memory to read (2147483648)", kMost);
}

void Command::json(bool& target, const std::string& help) { flag("--json", target, help); }

void Command::quiet(bool& target) { flag("-q,--quiet", target, "neither progress nor notes on standard error"); }

void Command::renamed(const std::string& old_name, const std::string& now) {
  program_.renamed_.emplace(app_.get_name() + " " + old_name, now);
}

void Command::run(std::function<int()> job) { program_.jobs_[&app_] = std::move(job); }

}  // namespace cli
