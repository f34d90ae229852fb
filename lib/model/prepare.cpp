// From a conversation to what a forward pass reads.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "model_impl.hpp"
#include "octavo/cancel.hpp"
#include "octavo/settings.hpp"

namespace octavo {
namespace {

/// A pad in a text is no picture: transformers fails there, too, but later and with other words.
void refuse_pads_in_text(std::span<const ChatMessage> messages, const Tokenizer& tokenizer, std::int32_t image_pad) {
  const std::string marker = tokenizer.token_bytes(image_pad);
  for (const std::string& pad : {marker, std::string("<|video_pad|>")}) {
    for (const ChatMessage& message : messages)
      for (const ChatPart& part : message.parts)
        if (!pad.empty() && part.kind == ChatPart::Kind::text && part.text.find(pad) != std::string::npos)
          throw Error(ErrorCode::invalid_argument,
                      "the text of the prompt holds " + pad +
                          ", the place of a picture, itself: leave it out, or keep control tokens as text "
                          "(ChatOptions::control_tokens_as_text, --control-tokens-as-text)");
  }
}

/// The pictures of all image parts, in order: their own, or the next of `images`. Those left over stand at the end, so
/// that they are counted.
std::vector<const Image*> pictures_of(std::span<const ChatMessage> messages, std::span<const Image> images) {
  std::vector<const Image*> pictures;
  std::size_t next = 0;
  for (const ChatMessage& message : messages)
    for (const ChatPart& part : message.parts)
      if (part.kind == ChatPart::Kind::image) {
        if (part.image != nullptr)
          pictures.push_back(part.image.get());
        else if (next < images.size())
          pictures.push_back(&images[next++]);
      }
  while (next < images.size()) pictures.push_back(&images[next++]);
  return pictures;
}

}  // namespace

ModelInput Model::prepare(std::span<const ChatMessage> messages, std::span<const Image> images,
                          const ChatOptions& options) const {
  const auto start = std::chrono::steady_clock::now();
  std::vector<TextRange> literal;
  const std::string text = chat_template().render(messages, options, &literal);
  if (!options.control_tokens_as_text) literal.clear();
  ModelInput input;
  std::vector<std::int64_t> counts;
  const std::vector<const Image*> pictures = pictures_of(messages, images);
  if (!pictures.empty() && !takes_pictures()) model::refuse_pictures(impl_->runtime->model_type());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    check_cancelled();
    input.images.push_back(
        in_context("image " + std::to_string(i), [&] { return patchify(*pictures[i], image_processor()); }));
    counts.push_back(impl_->runtime->tokens_of(input.images.back().grid));
  }
  const std::int32_t pad = impl_->runtime->image_token_id();
  std::vector<std::int32_t> ids = tokenizer().encode(text, literal);
  if (takes_pictures()) {
    const auto pads = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), pad));
    const auto video = tokenizer().token_to_id("<|video_pad|>");
    const bool videos = video && std::find(ids.begin(), ids.end(), *video) != ids.end();
    if (!options.control_tokens_as_text && (pads != counts.size() || videos))
      refuse_pads_in_text(messages, tokenizer(), pad);
    input.ids = expand_pads(ids, pad, counts);
  } else {
    input.ids = std::move(ids);
  }
  impl_->runtime->check_input(input);
  input.preprocess_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return input;
}

ModelInput Model::prepare(std::string_view user_text, std::span<const Image> images, const ChatOptions& options) const {
  if (user_text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw Error(ErrorCode::invalid_argument, "the prompt is empty: say what to ask");
  ChatMessage message;
  message.role = "user";
  message.parts.assign(images.size(), ChatPart{ChatPart::Kind::image, {}});
  message.parts.push_back(ChatPart{ChatPart::Kind::text, std::string(user_text)});
  return prepare({&message, 1}, images, options);
}

std::vector<std::string> Model::notes() const {
  std::vector<std::string> lines;
  const FileSource& files = impl_->checkpoint.files();
  for (const SettingsTable* table : {&generation_settings(), &tokenizer_settings()}) {
    if (!files.has(table->file)) continue;
    for (const SettingFinding& finding : examine_settings(files.json(table->file), *table))
      if (finding.kind == SettingFinding::Kind::named) lines.push_back(finding.what);
  }
  if (!chat_template().problem().empty()) lines.push_back(chat_template().problem());
  return lines;
}

}  // namespace octavo
