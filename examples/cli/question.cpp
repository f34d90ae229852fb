#include "question.hpp"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

#include "standard_input.hpp"

namespace cli {

namespace {

constexpr std::size_t kMostText = std::size_t{64} << 20, kMostPicture = std::size_t{512} << 20;

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

octavo::Image read_image(const std::string& path, const octavo::DecodeOptions& decode) {
  if (path != kStandardInput) return octavo::load_image(path, decode);
  if (isatty(STDIN_FILENO) == 1)
    throw UsageError(
        "--image - reads a picture file from standard input, which is a terminal: octavo ... <picture.png");
  const std::string bytes = read_standard_input(kMostPicture);
  return octavo::decode_image(std::as_bytes(std::span(bytes)), "standard input", decode);
}

octavo::Sample read_messages(const std::string& path, const octavo::DecodeOptions& decode) {
  if (path != kStandardInput) return octavo::read_conversation(path, decode);
  return octavo::parse_conversation(read_standard_input(kMostText), "standard input", "", decode);
}

}  // namespace

void add_question(Command& command, Question& question) {
  command.text("-p,--prompt", {"TEXT"}, question.prompt, "what to ask; -: standard input says it");
  command.texts("-i,--image", {"FILE", ValueKind::file}, question.images,
                "a picture, may be repeated; pictures come before the text; -: standard input is one");
  command.text("--system", {"TEXT"}, question.system, "a system prompt, before the question");
  command.text("--messages", {"FILE", ValueKind::file}, question.messages,
               "instead of --prompt and --image: a conversation as JSON, whose last turn is answered; -: standard "
               "input; see docs/samples.md");
}

void require_consistent(const Question& question) {
  if (question.messages && (question.prompt || !question.images.empty()))
    throw UsageError("--messages brings its own texts and pictures: leave --prompt and --image out");
  if (question.prompt && is_blank(*question.prompt)) throw UsageError("--prompt is empty: say what to ask");
  if (question.system && is_blank(*question.system)) throw UsageError("--system is empty: leave it out");
  std::vector<std::string> readers;
  if (question.prompt == kStandardInput) readers.emplace_back("--prompt -");
  for (const std::string& image : question.images)
    if (image == kStandardInput) readers.emplace_back("--image -");
  if (readers.size() > 1)
    throw UsageError(readers[0] + " and " + readers[1] + " both ask for standard input, which can be read once");
}

std::string read_prompt(const std::string& prompt) {
  if (prompt != kStandardInput) return prompt;
  std::string text = read_standard_input(kMostText);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // a byte order mark
  for (const char end : {'\n', '\r'})                      // of the last line, not of the question
    if (text.ends_with(end)) text.pop_back();
  if (is_blank(text)) throw UsageError("--prompt - reads the question from standard input, which is empty");
  return text;
}

void put_system(const std::string& text, std::vector<octavo::ChatMessage>& messages) {
  if (!messages.empty() && messages.front().role == "system")
    throw UsageError("--system is given, and the conversation begins with a system turn of its own: keep one");
  messages.insert(messages.begin(), {"system", {{octavo::ChatPart::Kind::text, text}}});
}

Asked read_question(const Question& question, const octavo::DecodeOptions& decode) {
  Asked asked;
  if (question.messages) {
    octavo::Sample sample = read_messages(*question.messages, decode);
    asked.images = octavo::load_images(sample);
    asked.messages = std::move(sample.messages);
  } else {
    octavo::ChatMessage message{"user", {}};
    for (const std::string& path : question.images) {
      asked.images.push_back(read_image(path, decode));
      message.parts.push_back({octavo::ChatPart::Kind::image, {}});
    }
    message.parts.push_back({octavo::ChatPart::Kind::text, read_prompt(question.prompt.value_or(""))});
    asked.messages.push_back(std::move(message));
  }
  if (question.system) put_system(*question.system, asked.messages);
  return asked;
}

}  // namespace cli
