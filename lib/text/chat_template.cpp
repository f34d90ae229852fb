#include <algorithm>

#include "octavo/text.hpp"

namespace octavo {

std::string render_chat(std::span<const ChatMessage> messages, const ChatOptions& options) {
  std::string text;
  int images = 0;
  int videos = 0;
  const auto vision = [&](const char* label, int number, const char* pad) {
    if (options.add_vision_id) text += std::string(label) + " " + std::to_string(number) + ": ";
    text += std::string("<|vision_start|>") + pad + "<|vision_end|>";
  };
  if (!messages.empty() && messages.front().role != "system")
    text += "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
  for (const ChatMessage& message : messages) {
    text += "<|im_start|>" + message.role + "\n";
    for (const ChatPart& part : message.parts) {
      switch (part.kind) {
        case ChatPart::Kind::text:
          text += part.text;
          break;
        case ChatPart::Kind::image:
          vision("Picture", ++images, "<|image_pad|>");
          break;
        case ChatPart::Kind::video:
          vision("Video", ++videos, "<|video_pad|>");
          break;
      }
    }
    text += "<|im_end|>\n";
  }
  if (options.add_generation_prompt) text += "<|im_start|>assistant\n";
  return text;
}

std::vector<std::int32_t> expand_pads(std::span<const std::int32_t> ids, std::int32_t pad_id,
                                      std::span<const std::int64_t> counts) {
  const auto found = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), pad_id));
  if (found != counts.size())
    throw Error(ErrorCode::shape_mismatch,
                "the prompt has " + std::to_string(found) + " image pads, but " + std::to_string(counts.size()) +
                    " images were given: each image needs one pad",
                ShapeDetail{"expand_pads", "", "ids", 0, "image pads", static_cast<std::int64_t>(counts.size()),
                            static_cast<std::int64_t>(found)});
  std::vector<std::int32_t> expanded;
  std::size_t next = 0;
  for (const std::int32_t id : ids) {
    if (id != pad_id) {
      expanded.push_back(id);
      continue;
    }
    if (counts[next] <= 0)
      throw Error(ErrorCode::invalid_argument,
                  "image " + std::to_string(next) + " makes " + std::to_string(counts[next]) + " tokens");
    expanded.insert(expanded.end(), static_cast<std::size_t>(counts[next++]), pad_id);
  }
  return expanded;
}

}  // namespace octavo
