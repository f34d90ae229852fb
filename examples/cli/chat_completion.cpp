#include "chat_completion.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace cli {

namespace {

constexpr std::string_view kCommands[] = {"/help", "/image ", "/quit", "/reset", "/save ", "/status", "/system "};

/// `typed`: bytes of each choice that are there already.
Completion completed(std::vector<std::string> choices, std::size_t typed) {
  if (choices.empty()) return {};
  std::sort(choices.begin(), choices.end());
  std::size_t common = choices.front().size();
  for (const std::string& choice : choices) {
    const auto differs = std::mismatch(choices.front().begin(), choices.front().end(), choice.begin(), choice.end());
    common = std::min(common, static_cast<std::size_t>(differs.first - choices.front().begin()));
  }
  // Not within a character of UTF-8.
  while (common > typed && common < choices.front().size() &&
         (static_cast<unsigned char>(choices.front()[common]) & 0xC0U) == 0x80U)
    --common;
  return {choices.front().substr(typed, common - typed), std::move(choices)};
}

Completion complete_path(const std::string& typed) {
  const bool quoted = !typed.empty() && (typed.front() == '\'' || typed.front() == '"');
  const std::string bare = typed.substr(quoted ? 1 : 0);
  const std::size_t name_at = bare.find_last_of('/') + 1;  // npos + 1 is 0
  const std::string name = bare.substr(name_at);
  const std::string directory = name_at == 0 ? "."
                                : quoted     ? bare.substr(0, name_at)
                                             : path_of(bare.substr(0, name_at));
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed)) {
    std::string found = at->path().filename().string();
    if (!found.starts_with(name) || (name.empty() && found.starts_with('.'))) continue;
    std::error_code unknown;
    names.push_back(std::move(found) + (at->is_directory(unknown) ? "/" : ""));
  }
  Completion completion = completed(std::move(names), name.size());
  if (quoted && completion.choices.size() == 1 && !completion.choices.front().ends_with('/'))
    completion.added += typed.front();
  return completion;
}

}  // namespace

std::string path_of(std::string word) {
  if (word.size() > 1 && word.front() == word.back() && (word.front() == '\'' || word.front() == '"'))
    return word.substr(1, word.size() - 2);
  const char* home = std::getenv("HOME");
  if (home != nullptr && word.starts_with("~/")) word.replace(0, 1, home);
  return word;
}

Completion complete_line(const std::string& line) {
  for (const std::string_view command : {"/image ", "/save "})
    if (line.starts_with(command)) {
      const std::size_t path = line.find_first_not_of(" \t", command.size());
      return complete_path(path == std::string::npos ? "" : line.substr(path));
    }
  if (!line.starts_with('/')) return {};
  std::vector<std::string> commands;
  for (const std::string_view command : kCommands)
    if (command.starts_with(line)) commands.emplace_back(command);
  return completed(std::move(commands), line.size());
}

}  // namespace cli
