/// The names of the rungs, for profiles.
#pragma once

#include <string>
#include <vector>

namespace octavo::pipeline {

std::vector<std::string> rung_names();  ///< in the order of the climb
}  // namespace octavo::pipeline
