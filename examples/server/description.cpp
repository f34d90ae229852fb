#include "description.hpp"

#include <utility>

namespace server {
namespace {

cli::OptionText describe(const CLI::Option& option, const Values& values) {
  cli::OptionText text;
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  if (option.get_positional()) text.names.push_back(option.get_name());
  text.help = option.get_description();
  if (!option.get_default_str().empty()) text.help += " (" + option.get_default_str() + ")";
  text.required = option.get_required();
  text.takes_value = option.get_positional() || option.get_expected_max() > 0;
  const auto found = values.find(&option);
  text.value = found != values.end() ? found->second : cli::Value{option.get_type_name()};
  return text;
}

}  // namespace

cli::CommandText describe(const CLI::App& app, const Values& values) {
  cli::CommandText text;
  text.summary = app.get_description();
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? text.positionals : text.options).push_back(describe(*option, values));
  return text;
}

}  // namespace server
