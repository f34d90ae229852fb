#include "chat_messages.hpp"

#include "http_error.hpp"
#include "pictures.hpp"

namespace server {
namespace {

using octavo::ChatPart;
using octavo::Json;

void only_keys(const Json& object, std::initializer_list<std::string_view> known) {
  object.for_each_member([&](std::string_view key, const Json& value) {
    for (const std::string_view one : known)
      if (key == one) return;
    if (!value.is_null()) throw refused(value, "not supported");
  });
}

ChatPart parse_picture(const Json& part, const std::string& role, const RequestLimits& limits, ChatRequest& request) {
  only_keys(part, {"type", "image_url"});
  const Json picture = part.at("image_url");
  only_keys(picture, {"url", "detail"});
  if (role != "user") throw refused(part, "pictures belong into messages of the role user");
  if (const auto detail = picture.find("detail"); detail && !detail->is_null() && detail->as_string() != "auto")
    throw refused(*detail, R"(only "auto": resize the picture before it is sent)");
  if (request.pictures.size() == limits.max_pictures)
    throw refused(part, "more than " + std::to_string(limits.max_pictures) + " pictures (--max-pictures)");
  const std::string where = path_of(picture.at("url"));
  request.pictures.push_back({picture_bytes(picture.at("url").as_string(), limits, where), where});
  return {ChatPart::Kind::image, {}};
}

ChatPart parse_part(const Json& part, const std::string& role, const RequestLimits& limits, ChatRequest& request) {
  const std::string type = part.at("type").as_string();
  if (type == "image_url") return parse_picture(part, role, limits, request);
  if (type != "text") throw refused(part.at("type"), R"("text" or "image_url")");
  only_keys(part, {"type", "text"});
  return {ChatPart::Kind::text, part.at("text").as_string()};
}

}  // namespace

void parse_messages(const Json& messages, const RequestLimits& limits, ChatRequest& request) {
  if (!messages.is_array() || messages.size() == 0) throw refused(messages, "a list of one or more messages");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Json message = messages.at(i);
    only_keys(message, {"role", "content"});
    octavo::ChatMessage parsed;
    parsed.role = message.at("role").as_string();
    if (parsed.role == "developer") parsed.role = "system";  // OpenAI's newer name
    if (parsed.role != "system" && parsed.role != "user" && parsed.role != "assistant")
      throw refused(message.at("role"), "system, user or assistant");
    const Json content = message.at("content");
    if (content.is_string()) {
      parsed.parts.push_back({ChatPart::Kind::text, content.as_string()});
    } else if (content.is_array()) {
      for (std::size_t part = 0; part < content.size(); ++part)
        parsed.parts.push_back(parse_part(content.at(part), parsed.role, limits, request));
    } else {
      throw refused(content, "a text or a list of parts");
    }
    request.messages.push_back(std::move(parsed));
  }
}

}  // namespace server
