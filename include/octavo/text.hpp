/// @file
/// Text in, token ids out, and back: byte-level BPE as in tokenizer.json, the Qwen2.5-VL chat template,
/// and streaming decode that never splits a UTF-8 character.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/error.hpp"

namespace octavo {

/// Immutable; safe to use from many threads.
class Tokenizer {
 public:
  /// tokenizer.json, else vocab.json + merges.txt + tokenizer_config.json, from a model directory.
  static Tokenizer open(const std::string& directory);
  static Tokenizer from_tokenizer_json(const std::string& path);
  static Tokenizer from_vocab_and_merges(const std::string& vocab_json, const std::string& merges_txt,
                                         const std::string& tokenizer_config_json);

  /// Invalid UTF-8 is refused, naming the byte offset.
  std::vector<std::int32_t> encode(std::string_view text) const;
  /// Ids outside the vocabulary decode to nothing. Invalid byte sequences become U+FFFD.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = false) const;
  std::string token_bytes(std::int32_t id) const;  ///< raw bytes of one token; "" when unknown
  bool is_special(std::int32_t id) const noexcept;
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  std::int32_t size() const noexcept;  ///< 1 + the largest id

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Decodes one token at a time and releases only whole UTF-8 characters.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens = true);
  std::string push(std::int32_t id);  ///< text that became complete
  std::string finish();               ///< what was held back, invalid bytes as U+FFFD
 private:
  Tokenizer tokenizer_;
  bool skip_special_ = true;
  std::string pending_;
};

struct ChatPart {
  enum class Kind : std::uint8_t { text, image, video } kind = Kind::text;
  std::string text;
};
struct ChatMessage {
  std::string role;  ///< system, user, assistant
  std::vector<ChatPart> parts;
};
struct ChatOptions {
  bool add_generation_prompt = true;
  bool add_vision_id = false;
};
/// The published Qwen2.5-VL template (chat_template.json). One `<|image_pad|>` per image.
std::string render_chat(std::span<const ChatMessage> messages, const ChatOptions& options = {});

/// Replaces the n-th occurrence of `pad_id` by counts[n] copies; counts must match the occurrences.
std::vector<std::int32_t> expand_pads(std::span<const std::int32_t> ids, std::int32_t pad_id,
                                      std::span<const std::int64_t> counts);

}  // namespace octavo
