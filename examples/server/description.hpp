// The server's options as text, for its man page and its completions.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "../cli/command_text.hpp"

namespace server {

/// What the value of an option is; of those that are not there, free text.
using Values = std::map<const CLI::Option*, cli::Value>;

/// A command without a name; defaults stand in the help.
cli::CommandText describe(const CLI::App& app, const Values& values);

}  // namespace server
