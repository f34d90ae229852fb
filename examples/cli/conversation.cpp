#include "conversation.hpp"

#include <unistd.h>

#include <filesystem>
#include <limits>
#include <stdexcept>
#include <utility>

#include "chat_completion.hpp"
#include "commands.hpp"
#include "question.hpp"
#include "signals.hpp"

namespace cli {

namespace {

constexpr const char* kHelp =
    "/image PATH    a picture for the next question; may be repeated\n"
    "/system TEXT   another system prompt, and a new conversation; without TEXT: none\n"
    "/reset         a new conversation\n"
    "/save FILE     write the conversation as JSON, which generate --messages and samples files take\n"
    "/status        how full the model's context is\n"
    "/quit          end (or Ctrl-D)\n"
    "Several lines are one question between \"\"\" and \"\"\", or pasted; a question that begins with / begins with "
    "//.\n"
    "Ctrl-C stops an answer.\n";

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Conversation::Conversation(const octavo::Model& model, ConversationSettings settings)
    : model_(model), settings_(std::move(settings)), interactive_(isatty(STDIN_FILENO) == 1), lines_(open_lines()) {
  // A PrefixCache and not a Session: it grows with the conversation, where a session takes its whole capacity at once,
  // and it knows a picture again behind a changed place. It costs a copy of keys and values per turn. One conversation
  // is kept, whatever it takes; its context bounds it.
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  settings_.job.prefix_cache =
      std::make_shared<octavo::PrefixCache>(octavo::PrefixCache::Limits{.kv_bytes = kAll, .image_bytes = kAll});
  settings_.job.cancel = &interrupted;
  settings_.job.on_token = [](std::int32_t, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0;  // nobody reads on: stop
  };
  reset();
}

int Conversation::run() {
  survive_interrupts();
  for (const std::string& path : settings_.images) add_image(path);
  note("/help shows what else can be typed; Ctrl-C stops an answer, Ctrl-D ends.");
  while (std::ferror(stdout) == 0) {
    const std::optional<std::string> turn = read_turn();
    if (!turn) {
      if (!interrupted.exchange(false)) break;
      note("\nCtrl-D or /quit ends.");
      continue;
    }
    try {
      if (turn->starts_with('/') && !turn->starts_with("//")) {
        if (!obey(*turn)) break;
      } else if (!trimmed(*turn).empty()) {
        ask(turn->starts_with("//") ? turn->substr(1) : *turn);
      }
    } catch (const std::exception& error) {
      complain(error.what());
    }
  }
  return failed_ && !interactive_ ? 1 : 0;
}

std::optional<std::string> Conversation::read_turn() {
  constexpr std::string_view kFence = "\"\"\"";
  std::optional<std::string> line = lines_->next("> ");
  if (!line) {
    if (!interrupted) note("");
    return line;
  }
  if (!line->starts_with(kFence)) return line;
  std::string text = line->substr(kFence.size());
  while (!text.ends_with(kFence)) {
    line = lines_->next(". ");
    if (!line && interrupted) return std::nullopt;
    if (!line) throw std::runtime_error("standard input ends before the closing \"\"\"");
    text += "\n" + *line;
  }
  return text.substr(0, text.size() - kFence.size());
}

bool Conversation::obey(const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : trimmed(line.substr(space));
  const auto need = [&](const char* what) {
    if (rest.empty()) throw std::runtime_error(word + " needs " + what);
  };
  if (word == "/quit" || word == "/exit") return false;
  if (word == "/help") {
    std::fputs(kHelp, stderr);
  } else if (word == "/image") {
    need("the path of a picture");
    add_image(path_of(rest));
  } else if (word == "/system") {
    settings_.system = rest.empty() ? std::nullopt : std::optional(rest);
    reset();
    note(rest.empty() ? "A new conversation, without a system prompt."
                      : "A new conversation, with that system prompt.");
  } else if (word == "/reset") {
    reset();
    note("A new conversation.");
  } else if (word == "/save") {
    need("the file to write");
    save(path_of(rest));
  } else if (word == "/status") {
    show_status();
  } else {
    throw std::runtime_error("unknown command " + octavo::shortened(word, 40) + "; /help lists them");
  }
  return true;
}

void Conversation::ask(const std::string& text) {
  octavo::ChatMessage question{"user", {}};
  std::vector<octavo::Image> images;
  for (const Picture& picture : pictures_) images.push_back(picture.image);
  for (const Picture& picture : waiting_) {
    images.push_back(picture.image);
    question.parts.push_back({octavo::ChatPart::Kind::image, {}});
  }
  question.parts.push_back({octavo::ChatPart::Kind::text, text});
  std::vector<Picture> with_it = std::exchange(waiting_, {});  // a picture at fault goes with its question
  std::vector<octavo::ChatMessage> messages = messages_;
  messages.push_back(std::move(question));
  const octavo::ModelInput input = model_.prepare(messages, images, settings_.chat);
  const std::int64_t context = model_.max_position_embeddings();
  const auto tokens = static_cast<std::int64_t>(input.ids.size());
  if (tokens >= context)
    throw std::runtime_error("the conversation would have " + std::to_string(tokens) + " tokens, and the model reads " +
                             std::to_string(context) + ": the question is left out; /reset begins a new conversation");
  last_ = model_.generate(input, settings_.job);
  std::fputs("\n", stdout);
  std::fflush(stdout);
  if (interrupted.exchange(false)) {
    note("stopped");
    if (last_.text.empty()) return;  // nothing was said: as if nothing was asked
  } else if (last_.finish_reason == octavo::FinishReason::length) {
    note(tokens + static_cast<std::int64_t>(last_.tokens.size()) >= context
             ? "cut: the model's context of " + std::to_string(context) + " tokens is full; /reset begins a new one"
             : "cut after " + std::to_string(last_.tokens.size()) + " tokens; --max-new-tokens allows more");
  }
  messages_ = std::move(messages);
  messages_.push_back({"assistant", {{octavo::ChatPart::Kind::text, last_.text}}});
  for (Picture& picture : with_it) pictures_.push_back(std::move(picture));
}

void Conversation::add_image(const std::string& path) {
  octavo::Image image = octavo::load_image(path, settings_.decode);
  note("a picture of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
       " pixels, for the next question");
  waiting_.push_back({std::filesystem::absolute(path).string(), std::move(image)});
}

void Conversation::save(const std::string& path) const {
  using octavo::JsonBuilder;
  JsonBuilder turns = JsonBuilder::array();
  std::size_t picture = 0;
  for (const octavo::ChatMessage& message : messages_) {
    JsonBuilder parts = JsonBuilder::array();
    for (const octavo::ChatPart& part : message.parts)
      parts.push(part.kind == octavo::ChatPart::Kind::image
                     ? JsonBuilder::object().set("type", "image").set("path", pictures_.at(picture++).path)
                     : JsonBuilder::object().set("type", "text").set("text", part.text));
    turns.push(JsonBuilder::object().set("role", message.role).set("content", std::move(parts)));
  }
  // On one line, so that the file is one of samples, too.
  const std::string text = JsonBuilder::object()
                               .set("metadata", JsonBuilder::object().set("octavo_version", octavo::kVersion))
                               .set("messages", std::move(turns))
                               .dump() +
                           "\n";
  const octavo::NewFile file{path, text, octavo::kResultMark};
  octavo::write_files({&file, 1});
  note("saved: " + path);
}

void Conversation::show_status() const {
  const auto tokens = last_.prompt_tokens + static_cast<std::int64_t>(last_.tokens.size());
  std::fprintf(stderr,
               "%zu turns, %zu pictures; %lld of %lld tokens; of the last question's prompt of %lld, %lld were "
               "read before\n",
               messages_.size(), pictures_.size(), static_cast<long long>(tokens),
               static_cast<long long>(model_.max_position_embeddings()), static_cast<long long>(last_.prompt_tokens),
               static_cast<long long>(last_.reused_tokens));
}

void Conversation::reset() {
  messages_.clear();
  pictures_.clear();
  waiting_.clear();
  last_ = {};
  settings_.job.prefix_cache->clear();
  if (settings_.system) put_system(*settings_.system, messages_);
}

void Conversation::note(const std::string& text) const {
  if (interactive_) std::fprintf(stderr, "%s\n", text.c_str());
}

void Conversation::complain(const std::string& text) {
  failed_ = true;
  std::fprintf(stderr, "octavo: %s\n", text.c_str());
}

}  // namespace cli
