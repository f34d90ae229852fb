// What is asked of a model once: text and pictures, or a conversation, from the command line, from files, or from
// standard input.
#pragma once

#include <octavo/octavo.hpp>
#include <optional>
#include <string>
#include <vector>

#include "program.hpp"

namespace cli {

struct Question {
  std::optional<std::string> prompt, system, messages;  // "-": standard input
  std::vector<std::string> images;
};
/// --prompt, --image, --system and --messages.
void add_question(Command& command, Question& question);
/// What excludes each other. @throws UsageError
void require_consistent(const Question& question);

struct Asked {
  std::vector<octavo::ChatMessage> messages;
  std::vector<octavo::Image> images;  // of the messages' picture parts, in order
};
/// Reads everything. @throws what reading and decoding throws, and UsageError for what turns out to be no question.
Asked read_question(const Question& question, const octavo::DecodeOptions& decode);
/// The prompt, from standard input where it is "-".
std::string read_prompt(const std::string& prompt);
/// Puts `text` before the turns. @throws UsageError  where they begin with a system turn of their own.
void put_system(const std::string& text, std::vector<octavo::ChatMessage>& messages);

}  // namespace cli
