#include "turns.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "words.hpp"

namespace octavo::samples {
namespace {

constexpr std::string_view kPlace = "<image>";

std::string count_of(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string role_of(const Json& value) {
  const std::string role = text_of(value);
  if (role == "system") return role;
  if (role == "user" || role == "human") return "user";
  if (role == "assistant" || role == "gpt") return "assistant";
  refuse(value.where(), "the role \"" + cut(role) + "\" is not read; known are system, user (human), assistant (gpt)");
}

/// One part of a content list.
std::vector<Piece> part_of(const Json& part, PicturePlace& place) {
  if (!part.is_object()) refuse(part.where(), R"(a part is an object such as {"type": "text", "text": "..."})");
  static constexpr std::array kSources{"image", "image_url", "url", "path", "base64"};
  for (const char* key : {"min_pixels", "max_pixels", "resized_height", "resized_width"})
    if (given(part, key))
      throw Error(ErrorCode::unsupported, part.where() + ": " + key +
                                              " of one picture is not read: the limits are the model's, in its " +
                                              "preprocessor_config.json; take the key out, or resize the picture");
  require_keys(part, {"type", "text", "image", "image_url", "url", "path", "base64"},
               {"min_pixels", "max_pixels", "resized_height", "resized_width"});
  std::optional<Json> source;
  const char* source_key = nullptr;
  for (const char* key : kSources)
    if (const auto found = given(part, key)) {
      if (source)
        refuse(part.where(), std::string("both \"") + source_key + "\" and \"" + key + "\" are given; keep one");
      source = found;
      source_key = key;
    }
  const auto text = given(part, "text");
  const std::string type = text_of(part.at("type"));
  if (type == "text") {
    if (source) refuse(part.where(), std::string("a part of type text has \"") + source_key + "\"");
    return pieces_of(text_of(part.at("text")), part.at("text").where());
  }
  if (type != "image" && type != "image_url")
    throw Error(ErrorCode::unsupported,
                part.where() + ": a part of type \"" + cut(type) + "\" is not read; known are text, image, image_url");
  if (text) refuse(part.where(), "a part of type " + type + " has \"text\"; make two parts of it");
  if (!source) return {Piece{Piece::Kind::place}};
  const bool is_base64 = std::string_view(source_key) == "base64";
  return {Piece{Piece::Kind::picture, {}, is_base64 ? picture_of_base64(*source, place) : picture_of(*source, place)}};
}

std::vector<Piece> content_of(const Json& content, PicturePlace& place) {
  if (!content.is_array()) return pieces_of(text_of(content), content.where());
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < content.size(); ++i)
    for (Piece& piece : part_of(content.at(i), place)) pieces.push_back(std::move(piece));
  return pieces;
}

Turn turn_of(const Json& json, PicturePlace& place) {
  if (!json.is_object()) refuse(json.where(), R"(a turn is an object: {"role", "content"} or {"from", "value"})");
  const bool named_from = json.find("from").has_value();
  if (named_from)
    require_keys(json, {"from", "value"});
  else
    require_keys(json, {"role", "content"});
  return {role_of(json.at(named_from ? "from" : "role")), json.where(),
          content_of(json.at(named_from ? "value" : "content"), place)};
}

}  // namespace

std::vector<Piece> pieces_of(const std::string& text, const std::string& where) {
  for (const char* token : {"<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"})
    if (text.find(token) != std::string::npos)
      refuse(where, std::string("the text holds ") + token +
                        ", which the chat template writes for a picture; write <image> where a picture stands");
  for (const char* other : {"<video>", "<audio>"})
    if (text.find(other) != std::string::npos)
      throw Error(ErrorCode::unsupported,
                  where + ": the text holds " + other + "; samples hold text and pictures (<image>) only");
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  for (std::size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, begin)) {
    if (at > begin) pieces.push_back({Piece::Kind::text, text.substr(begin, at - begin)});
    pieces.push_back({Piece::Kind::place});
    begin = at + kPlace.size();
  }
  if (begin < text.size()) pieces.push_back({Piece::Kind::text, text.substr(begin)});
  return pieces;
}

std::vector<Turn> turns_of(const Json& list, PicturePlace& place) {
  if (!list.is_array()) refuse(list.where(), "an array of turns is needed");
  std::vector<Turn> turns;
  for (std::size_t i = 0; i < list.size(); ++i) turns.push_back(turn_of(list.at(i), place));
  return turns;
}

std::string text_alone(const Turn& turn) {
  std::string text;
  for (const Piece& piece : turn.pieces) {
    if (piece.kind != Piece::Kind::text)
      refuse(turn.where, "a picture stands in " +
                             (turn.role == "assistant" ? "an answer" : "a " + turn.role + " turn") +
                             "; pictures belong to user turns");
    text += piece.text;
  }
  return text;
}

void settle(std::vector<Turn> turns, std::vector<SampleImage> listed, bool may_stand_first, const std::string& where,
            Sample& sample) {
  std::size_t places = 0;
  std::size_t own = 0;
  for (const Turn& turn : turns) {
    if (turn.role != "user") text_alone(turn);
    for (const Piece& piece : turn.pieces) {
      places += piece.kind == Piece::Kind::place ? 1 : 0;
      own += piece.kind == Piece::Kind::picture ? 1 : 0;
    }
  }
  if (places == 0 && own == 0 && may_stand_first) {
    const auto first = std::find_if(turns.begin(), turns.end(), [](const Turn& turn) { return turn.role == "user"; });
    first->pieces.insert(first->pieces.begin(), listed.size(), Piece{Piece::Kind::place});
    places = listed.size();
  }
  if (places != listed.size())
    refuse(where, count_of(places, "place") + " for a picture (<image>), but " + count_of(listed.size(), "picture") +
                      (own > 0 ? " besides those in the parts" : "") + ": each needs the other");
  std::size_t next = 0;
  for (Turn& turn : turns) {
    ChatMessage message;
    message.role = turn.role;
    for (Piece& piece : turn.pieces) {
      if (piece.kind == Piece::Kind::text) {
        message.parts.push_back({ChatPart::Kind::text, std::move(piece.text)});
        continue;
      }
      message.parts.push_back({ChatPart::Kind::image, {}});
      sample.images.push_back(piece.kind == Piece::Kind::picture ? *std::move(piece.picture) : listed[next++]);
    }
    sample.messages.push_back(std::move(message));
  }
}

}  // namespace octavo::samples
