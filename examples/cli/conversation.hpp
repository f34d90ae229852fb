// A conversation on standard input and output, turn by turn.
#pragma once

#include <cstdio>
#include <memory>
#include <octavo/octavo.hpp>
#include <octavo/prefix_cache.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lines.hpp"

namespace cli {

struct ConversationSettings {
  octavo::GenerateOptions job;  // of every answer; the tokens are streamed to standard output
  octavo::ChatOptions chat;
  octavo::DecodeOptions decode;
  std::optional<std::string> system;
  std::vector<std::string> images;  // of the first question
};

/// What was said, and what it takes to say more: only what is new of a turn is run.
class Conversation {
 public:
  Conversation(const octavo::Model& model, ConversationSettings settings);
  /// Until /quit or the end of standard input. Exit status: 1 where a line failed and nobody was there to see it.
  int run();

 private:
  /// A question or a command, over several lines between two """ or in one paste; nothing at the end.
  std::optional<std::string> read_turn();
  /// False: the conversation ends.
  bool obey(const std::string& line);
  void ask(const std::string& text);
  void add_image(const std::string& path);
  void save(const std::string& path) const;
  void show_status() const;
  void reset();
  void note(const std::string& text) const;  // to people alone
  void complain(const std::string& text);

  const octavo::Model& model_;
  ConversationSettings settings_;
  const bool interactive_;
  std::unique_ptr<LineSource> lines_;
  bool failed_ = false;
  std::vector<octavo::ChatMessage> messages_;
  struct Picture {
    std::string path;
    octavo::Image image;
  };
  std::vector<Picture> pictures_;  // of the messages, in order
  std::vector<Picture> waiting_;   // for the next question
  octavo::GenerateResult last_;    // the figures of the last answer
};

}  // namespace cli
