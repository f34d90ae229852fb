// Conversations, and what a model reads of them.
#include <algorithm>
#include <memory>
#include <octavo/samples.hpp>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::ChatOptions chat_options(const octavo_chat_options* given) {
  const octavo_chat_options read = read_options(given, "options");
  require_zero(read.reserved0);
  octavo::ChatOptions options;
  options.add_generation_prompt = read.no_generation_prompt == 0;
  options.add_vision_id = read.add_vision_id != 0;
  options.control_tokens_as_text = read.control_tokens_as_text != 0;
  return options;
}

std::vector<octavo::ChatPart>& last_parts(octavo_messages* messages) {
  require(messages, "messages");
  if (messages->value.empty())
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "messages holds no message that takes a part: call octavo_messages_add first");
  return messages->value.back().parts;
}

const std::vector<octavo::ChatMessage>& spoken(const octavo_messages* messages) {
  require(messages, "messages");
  if (messages->value.empty())
    throw octavo::Error(octavo::ErrorCode::invalid_argument, "messages holds no message: there is nothing to answer");
  return messages->value;
}

octavo::ChatPart text_part(const char* text) { return {octavo::ChatPart::Kind::text, text}; }

}  // namespace

extern "C" {

octavo_status octavo_messages_create(octavo_messages** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_messages;
  });
}

octavo_status octavo_messages_add(octavo_messages* messages, const char* role, const char* text) {
  return guarded([&] {
    require(messages, "messages");
    require(role, "role");
    octavo::ChatMessage message{role, {}};
    if (text != nullptr) message.parts.push_back(text_part(text));
    messages->value.push_back(std::move(message));
  });
}

octavo_status octavo_messages_add_text(octavo_messages* messages, const char* text) {
  return guarded([&] {
    require(text, "text");
    last_parts(messages).push_back(text_part(text));
  });
}

octavo_status octavo_messages_add_image(octavo_messages* messages, const octavo_image* image) {
  return guarded([&] {
    require(image, "image");
    last_parts(messages).push_back({octavo::ChatPart::Kind::image, {}, image->value});
  });
}

octavo_status octavo_messages_from_json(const char* json, const char* folder, const octavo_decode_options* options,
                                        octavo_messages** out) {
  return guarded([&] {
    require(json, "json");
    require(out, "out");
    const octavo::Sample given =
        octavo::parse_conversation(json, "the messages", folder == nullptr ? "" : folder, decode_options(options));
    auto messages = std::make_unique<octavo_messages>();
    messages->value = octavo::messages_of(given);
    auto picture = given.images.begin();
    for (octavo::ChatMessage& message : messages->value)
      for (octavo::ChatPart& part : message.parts)
        if (part.kind == octavo::ChatPart::Kind::image && picture != given.images.end())
          part.image = std::make_shared<const octavo::Image>(octavo::load_image(*picture++, given.decode));
    *out = messages.release();
  });
}

void octavo_messages_release(octavo_messages* messages) { delete messages; }

octavo_status octavo_chat_render(const octavo_model* model, const octavo_messages* messages,
                                 const octavo_chat_options* options, char** out_text) {
  return guarded([&] {
    require(model, "model");
    require(out_text, "out_text");
    *out_text = new_string(model->value.chat_template().render(spoken(messages), chat_options(options)));
  });
}

octavo_status octavo_prompt_create(const octavo_model* model, const octavo_messages* messages,
                                   const octavo_chat_options* options, octavo_prompt** out) {
  return guarded([&] {
    require(model, "model");
    require(out, "out");
    *out = new octavo_prompt{model->value.prepare(spoken(messages), {}, chat_options(options))};
  });
}

octavo_status octavo_prompt_from_ids(const int32_t* ids, size_t count, octavo_prompt** out) {
  return guarded([&] {
    require(ids, "ids");
    require(out, "out");
    octavo::ModelInput input;
    input.ids.assign(ids, ids + count);
    *out = new octavo_prompt{std::move(input)};
  });
}

octavo_status octavo_prompt_ids(const octavo_prompt* prompt, const int32_t** out_ids, size_t* out_count) {
  return guarded([&] {
    require(prompt, "prompt");
    if (out_ids != nullptr) *out_ids = prompt->value.ids.data();
    if (out_count != nullptr) *out_count = prompt->value.ids.size();
  });
}

octavo_status octavo_prompt_pictures(const octavo_prompt* prompt, octavo_picture_size* pictures, size_t capacity,
                                     size_t* out_count) {
  return guarded([&] {
    require(prompt, "prompt");
    require(out_count, "out_count");
    if (capacity > 0) require(pictures, "pictures");
    const std::vector<octavo::PixelPatches>& images = prompt->value.images;
    for (size_t i = 0; i < std::min(capacity, images.size()); ++i)
      pictures[i] = {images[i].resized.width, images[i].resized.height, images[i].original.width,
                     images[i].original.height};
    *out_count = images.size();
  });
}

void octavo_prompt_release(octavo_prompt* prompt) { delete prompt; }

}  // extern "C"
