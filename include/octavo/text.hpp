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
#include "octavo/files.hpp"
#include "octavo/settings.hpp"

namespace octavo {

struct Image;

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
  static Tokenizer open(const FileSource& files);
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

/// What is done with each key of tokenizer_config.json.
const SettingsTable& tokenizer_settings();

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
  std::shared_ptr<const Image> image{};  ///< of an image part: the picture, where it is not handed in beside
};
struct ChatMessage {
  std::string role;  ///< system, user, assistant
  std::vector<ChatPart> parts;
};
struct ChatOptions {
  bool add_generation_prompt = true;
  bool add_vision_id = false;  ///< "Picture 1: " before each picture, for templates that know it
  /// Control tokens ("<|im_end|>") in the texts of the parts stay text. Otherwise they are tokens, as with
  /// transformers, and whoever writes a text can speak as the system.
  bool control_tokens_as_text = false;
};
/// The published Qwen2.5-VL template (chat_template.json). One `<|image_pad|>` per image.
std::string render_chat(std::span<const ChatMessage> messages, const ChatOptions& options = {});

/// How a model's prompts are laid out. Octavo reads the part of Jinja that chat templates use and renders what
/// transformers' apply_chat_template does; what it cannot read it names, and lays prompts out as Qwen2.5-VL's template
/// does. Immutable; safe to use from many threads.
class ChatTemplate {
 public:
  /// The template that transformers' processor takes: chat_template.json, chat_template.jinja, or the key chat_template
  /// of processor_config.json; without any the tokenizer's, in tokenizer_config.json ("default" of a list of named
  /// ones). In a directory that has none, Qwen2.5-VL's.
  /// `takes_pictures`: whether the model does; the template of one that does not is not asked what it makes of them.
  /// @throws Error  for files that are no JSON. A template that cannot be read is no error: see problem().
  static ChatTemplate open(const FileSource& files, bool takes_pictures = true);
  /// `origin` is how errors name the template, usually the file.
  static ChatTemplate parse(std::string_view source, const std::string& origin);

  /// The prompt. Each message is given to the template with a list of parts, {"type": "image"} or
  /// {"type": "text", "text": ...}; where the template takes texts alone, with one text, in which a picture is
  /// "<|vision_start|><|image_pad|><|vision_end|>". `literal`, where given, receives the ranges of the prompt that came
  /// from the texts of the messages.
  /// @throws Error  invalid_argument: what the template refuses; unsupported: Jinja beyond Octavo's, on this path.
  std::string render(std::span<const ChatMessage> messages, const ChatOptions& options = {},
                     std::vector<TextRange>* literal = nullptr) const;

  const std::string& origin() const noexcept;  ///< the file; empty where there was none
  const std::string& source() const noexcept;  ///< what stands in it
  /// Why the file's template is not used, or not as it is, in one line; empty when prompts are laid out as it says.
  const std::string& problem() const noexcept;
  /// For a template that is used and lays prompts out otherwise than Qwen2.5-VL's: how a prompt then begins.
  const std::string& difference() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Replaces the n-th occurrence of `pad_id` by counts[n] copies; counts must match the occurrences.
std::vector<std::int32_t> expand_pads(std::span<const std::int32_t> ids, std::int32_t pad_id,
                                      std::span<const std::int64_t> counts);

}  // namespace octavo
