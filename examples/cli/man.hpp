// The manual page, from the program's description.
#pragma once

#include "program.hpp"

namespace cli {

void add_man_command(Program& program);  // octavo man

}  // namespace cli
