// octavo --version
#pragma once

namespace cli {

int print_version(bool json);

}  // namespace cli
