#include "chat_template_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "octavo/json.hpp"

namespace octavo::text {
namespace {

std::optional<std::string> path_if_there(const std::string& directory, const char* name) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::path(directory) / name;
  return std::filesystem::exists(path, ignored) ? std::optional(path.string()) : std::nullopt;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, path + ": cannot be opened");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// One template, or the "default" of named ones: [{"name": ..., "template": ...}] or {"default": ...}.
std::string default_of(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_object()) return value.get_string("default", "");
  for (std::size_t i = 0; i < value.size(); ++i)
    if (value.at(i).get_string("name", "") == "default") return value.at(i).get_string("template", "");
  return "";
}

}  // namespace

ChatTemplateFile find_chat_template(const std::string& directory) {
  ChatTemplateFile found;
  const auto take = [&](const Json& json, const std::string& origin) {
    const auto value = json.find("chat_template");
    if (!found.origin.empty() || !value || value->is_null()) return;
    found.source = default_of(*value);
    if (!found.source.empty()) found.origin = origin;
  };
  const auto take_json = [&](const char* name) {
    if (const auto path = path_if_there(directory, name)) take(Json::read_file(*path), *path);
  };
  take_json("chat_template.json");  // before .jinja, as the processor does
  if (const auto path = path_if_there(directory, "chat_template.jinja"); path && found.origin.empty()) {
    found.source = content_of(*path);
    found.origin = *path;
  }
  take_json("processor_config.json");
  if (const auto path = path_if_there(directory, "tokenizer_config.json")) {
    const Json json = Json::read_file(*path);
    take(json, *path);
    for (const char* key :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
      const auto token = json.find(key);
      if (token && token->is_string()) found.special_tokens.emplace_back(key, token->as_string());
      if (token && token->is_object()) found.special_tokens.emplace_back(key, token->get_string("content", ""));
    }
  }
  return found;
}

}  // namespace octavo::text
