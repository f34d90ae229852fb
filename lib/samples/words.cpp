#include "words.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "octavo/nearest.hpp"

namespace octavo::samples {
namespace {

/// Words in other people's keys, and which of ours they stand for, where the spelling is too far for a guess by
/// letters.
constexpr auto kMeanings = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"image", "image"},     {"img", "image"},          {"picture", "image"},  {"photo", "image"},
    {"pixel", "image"},     {"file", "image"},         {"question_id", "id"}, {"uid", "id"},
    {"question", "prompt"}, {"instruction", "prompt"}, {"input", "prompt"},   {"text", "prompt"},
    {"solution", "answer"}, {"output", "answer"},      {"target", "answer"},  {"label", "answer"},
    {"truth", "answer"},    {"category", "task"},      {"type", "task"},      {"dialog", "messages"},
    {"chat", "messages"},
});

std::string meant(const std::string& key, const std::vector<std::string>& known) {
  if (std::string near = nearest(lower(key), known); !near.empty()) return near;
  for (const auto& [word, meaning] : kMeanings)
    if (lower(key).find(word) != std::string::npos && std::find(known.begin(), known.end(), meaning) != known.end())
      return std::string(meaning);
  return "";
}

}  // namespace

void refuse(const std::string& where, const std::string& what) { throw Error(ErrorCode::format, where + ": " + what); }

std::string cut(std::string_view text) {
  const bool long_one = text.size() > kMostQuoted;
  if (long_one) {
    std::size_t end = kMostQuoted;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
    text = text.substr(0, end);
  }
  std::string shown(text);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; }, '?');
  return long_one ? shown + "..." : shown;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string text_of(const Json& value) {
  const std::string& text = value.as_string();
  if (text.find('\0') != std::string::npos) refuse(value.where(), "the text holds a NUL character");
  return text;
}

std::optional<Json> given(const Json& object, std::string_view key) {
  std::optional<Json> found = object.find(key);
  return found && !found->is_null() ? found : std::nullopt;
}

void require_keys(const Json& object, std::initializer_list<std::string_view> known,
                  std::initializer_list<std::string_view> settled) {
  const std::vector<std::string> names(known.begin(), known.end());
  object.for_each_member([&](std::string_view key, const Json&) {
    for (const auto& list : {known, settled})
      if (std::find(list.begin(), list.end(), key) != list.end()) return;
    const std::string near = meant(std::string(key), names);
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    refuse(object.where(), "unknown key \"" + cut(key) + "\"; " +
                               (near.empty() ? "" : "did you mean \"" + near + "\"? ") + "known are " + list);
  });
}

}  // namespace octavo::samples
