// octavo-server(1), from the server's own options.
#pragma once

#include <string>

#include "../cli/command_text.hpp"

namespace server {

std::string man_page(const cli::CommandText& program);

}  // namespace server
