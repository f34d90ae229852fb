/// @file
/// Text in, token ids out, and back: byte-level BPE as in tokenizer.json, the Qwen2.5-VL chat template,
/// and streaming decode that never splits a UTF-8 character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/error.hpp"

namespace octavo {

/// Bytes `begin` to `end` (without it) of a text.
struct TextRange {
  std::size_t begin = 0, end = 0;
};

/// Immutable; safe to use from many threads. Ids are those of Hugging Face's `tokenizers`, whatever the system's
/// Unicode tables are: Octavo brings its own, made from that library's answers.
class Tokenizer {
 public:
  /// tokenizer.json, else vocab.json + merges.txt, from a model directory; with what tokenizer_config.json,
  /// special_tokens_map.json and added_tokens.json add, as transformers' from_pretrained. An added token has the id
  /// of the vocabulary, else the next free one, whatever number the file gives it, as there.
  static Tokenizer open(const std::string& directory);
  static Tokenizer from_tokenizer_json(const std::string& path);
  static Tokenizer from_vocab_and_merges(const std::string& vocab_json, const std::string& merges_txt,
                                         const std::string& tokenizer_config_json);

  /// Added tokens ("<|im_end|>") are found wherever they stand. Inside the ranges `literal` those with the flag
  /// `special` are text like any other, as with transformers' split_special_tokens.
  /// @throws Error  invalid_argument naming the byte of invalid UTF-8; unsupported for `literal` where a special token
  ///                is looked for in normalised text, whose bytes are others.
  std::vector<std::int32_t> encode(std::string_view text, std::span<const TextRange> literal = {}) const;
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
