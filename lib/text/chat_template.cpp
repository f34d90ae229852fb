#include <utility>
#include <vector>

#include "chat_template_file.hpp"
#include "jinja/evaluate.hpp"
#include "octavo/json.hpp"
#include "octavo/text.hpp"

namespace octavo {
namespace {

using text::jinja::Dict;
using text::jinja::List;
using text::jinja::Text;
using text::jinja::Value;

using SpecialTokens = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kPicture = "<|vision_start|><|image_pad|><|vision_end|>";
constexpr const char* kVideo = "<|vision_start|><|video_pad|><|vision_end|>";

/// Qwen2.5-VL's template as published, written out.
Text published(std::span<const ChatMessage> messages, const ChatOptions& options) {
  Text prompt;
  int images = 0;
  int videos = 0;
  const auto write = [&](std::string_view text) { prompt.bytes += text; };
  const auto vision = [&](const char* label, int number, const char* marker) {
    if (options.add_vision_id) write(std::string(label) + " " + std::to_string(number) + ": ");
    write(marker);
  };
  if (!messages.empty() && messages.front().role != "system")
    write("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n");
  for (const ChatMessage& message : messages) {
    write("<|im_start|>");
    prompt.append(Text::of_user(message.role));
    write("\n");
    for (const ChatPart& part : message.parts) {
      switch (part.kind) {
        case ChatPart::Kind::text:
          prompt.append(Text::of_user(part.text));
          break;
        case ChatPart::Kind::image:
          vision("Picture", ++images, kPicture);
          break;
        case ChatPart::Kind::video:
          vision("Video", ++videos, kVideo);
          break;
      }
    }
    write("<|im_end|>\n");
  }
  if (options.add_generation_prompt) write("<|im_start|>assistant\n");
  return prompt;
}

Value as_parts(const ChatMessage& message) {
  List parts;
  for (const ChatPart& part : message.parts) {
    const char* type = part.kind == ChatPart::Kind::text    ? "text"
                       : part.kind == ChatPart::Kind::image ? "image"
                                                            : "video";
    Value content =
        part.kind == ChatPart::Kind::text ? Value::of(Text::of_user(part.text)) : Value::of(std::string(type));
    parts.push_back(Value::of(Dict{{"type", Value::of(std::string(type))}, {type, std::move(content)}}));
  }
  return Value::of(std::move(parts));
}

Value as_text(const ChatMessage& message) {
  Text text;
  for (const ChatPart& part : message.parts) {
    if (part.kind == ChatPart::Kind::text)
      text.append(Text::of_user(part.text));
    else
      text.bytes += part.kind == ChatPart::Kind::image ? kPicture : kVideo;
  }
  return Value::of(std::move(text));
}

/// A conversation of one user with a picture, for questions about a template.
std::vector<ChatMessage> with_picture() {
  return {{"user", {{ChatPart::Kind::image, ""}, {ChatPart::Kind::text, "Hello"}}}};
}
std::vector<ChatMessage> greeting() { return {{"user", {{ChatPart::Kind::text, "Hello"}}}}; }
std::vector<ChatMessage> several_turns() {
  return {{"system", {{ChatPart::Kind::text, "Be brief."}}},
          {"user", {{ChatPart::Kind::text, "Hello"}}},
          {"assistant", {{ChatPart::Kind::text, "Hello."}}},
          {"user", {{ChatPart::Kind::image, ""}, {ChatPart::Kind::image, ""}, {ChatPart::Kind::text, "More"}}}};
}

}  // namespace

struct ChatTemplate::Impl {
  std::string source, origin, problem, difference;
  SpecialTokens special_tokens;
  text::jinja::Block block;
  bool rendered = false;     // else Qwen2.5-VL's is
  bool takes_parts = false;  // else one text a message

  Impl(std::string written, std::string file, SpecialTokens tokens, bool takes_pictures = true)
      : source(std::move(written)), origin(std::move(file)), special_tokens(std::move(tokens)) {
    if (source.empty()) return;
    try {
      block = in_context(origin, [&] { return text::jinja::parse(source); });
      if (takes_pictures) {
        choose();
        compare();
      } else {
        rendered = true;
        static_cast<void>(run(greeting(), {}));
      }
    } catch (const Error& error) {
      leave(error.what());
    }
  }

  void leave(const std::string& why) {
    rendered = false;
    problem = why + ": this chat template is not used; prompts are laid out as Qwen2.5-VL's, and answers may differ";
  }

  Text run(std::span<const ChatMessage> messages, const ChatOptions& options) const {
    if (!rendered) return published(messages, options);
    List list;
    for (const ChatMessage& message : messages)
      list.push_back(Value::of(Dict{{"role", Value::of(Text::of_user(message.role))},
                                    {"content", takes_parts ? as_parts(message) : as_text(message)}}));
    Dict variables{{"messages", Value::of(std::move(list))},
                   {"add_generation_prompt", Value::of(options.add_generation_prompt)},
                   {"tools", Value::none()},
                   {"documents", Value::none()}};
    if (options.add_vision_id) variables.emplace_back("add_vision_id", Value::of(true));
    for (const auto& [name, token] : special_tokens) variables.emplace_back(name, Value::of(token));
    return in_context(origin, [&] { return text::jinja::render(block, std::move(variables)); });
  }

  /// Whether the form of the messages suits the template, by what it makes of a picture.
  bool suits(bool parts, std::string& why) {
    takes_parts = parts;
    try {
      const Text prompt = run(with_picture(), {});
      if (prompt.bytes.find("<|image_pad|>") != std::string::npos) return true;
      why = origin + ": a picture leaves no <|image_pad|> in the prompt";
    } catch (const Error& error) {
      why = error.what();
    }
    return false;
  }

  void choose() {
    std::string why;
    rendered = true;
    if (suits(true, why)) return;
    std::string why_not_text;
    if (suits(false, why_not_text)) {
      problem = origin + ": the chat template takes texts alone, and a picture is put into them as " + kPicture;
      return;
    }
    leave(why);
  }

  void compare() {
    if (!rendered) return;
    for (const std::vector<ChatMessage>& messages : {with_picture(), several_turns()}) {
      std::string own;
      try {
        own = run(messages, {}).bytes;
      } catch (const Error& error) {
        own = error.what();
      }
      if (own == published(messages, {}).bytes) continue;
      difference = origin + ": prompts are laid out otherwise than Qwen2.5-VL's, as the file says: " +
                   JsonBuilder(own.substr(0, 400)).dump();
      return;
    }
  }
};

ChatTemplate ChatTemplate::open(const FileSource& files, bool takes_pictures) {
  text::ChatTemplateFile file = text::find_chat_template(files);
  ChatTemplate made;
  made.impl_ = std::make_shared<const Impl>(std::move(file.source), std::move(file.origin),
                                            std::move(file.special_tokens), takes_pictures);
  return made;
}

ChatTemplate ChatTemplate::parse(std::string_view source, const std::string& origin) {
  ChatTemplate made;
  made.impl_ = std::make_shared<const Impl>(std::string(source), origin, SpecialTokens{});
  return made;
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages, const ChatOptions& options,
                                 std::vector<TextRange>* literal) const {
  Text prompt = impl_->run(messages, options);
  if (literal != nullptr) *literal = std::move(prompt.user);
  return std::move(prompt.bytes);
}

const std::string& ChatTemplate::origin() const noexcept { return impl_->origin; }
const std::string& ChatTemplate::source() const noexcept { return impl_->source; }
const std::string& ChatTemplate::problem() const noexcept { return impl_->problem; }
const std::string& ChatTemplate::difference() const noexcept { return impl_->difference; }

std::string render_chat(std::span<const ChatMessage> messages, const ChatOptions& options) {
  return published(messages, options).bytes;
}

}  // namespace octavo
