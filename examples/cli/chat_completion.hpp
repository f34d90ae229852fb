// What can be typed in chat beside questions, and what Tab makes of the beginning of it.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct Completion {
  std::string added;                 ///< what all that fit have in common behind what is typed
  std::vector<std::string> choices;  ///< that fit, sorted
};
/// Of a line up to the cursor: commands, and paths behind /image and /save.
Completion complete_line(const std::string& line);

/// As a shell would have read it, as far as dropped files and typed names need: without quotes around it, ~ is home.
std::string path_of(std::string word);

}  // namespace cli
