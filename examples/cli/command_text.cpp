#include "command_text.hpp"

namespace cli {

std::string prose(const CommandText& command) {
  std::string text = command.summary + ".";
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return command.details.empty() ? text : text + " " + command.details;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace cli
