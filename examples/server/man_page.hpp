// octavo-server(1), from the server's own options.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace server {

std::string man_page(const CLI::App& app);

}  // namespace server
