#include "chat_template_file.hpp"

#include "octavo/json.hpp"

namespace octavo::text {
namespace {

/// One template, or the "default" of named ones: [{"name": ..., "template": ...}] or {"default": ...}.
std::string default_of(const Json& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_object()) return value.get_string("default", "");
  for (std::size_t i = 0; i < value.size(); ++i)
    if (value.at(i).get_string("name", "") == "default") return value.at(i).get_string("template", "");
  return "";
}

}  // namespace

ChatTemplateFile find_chat_template(const FileSource& files) {
  ChatTemplateFile found;
  const auto take = [&](const Json& json, const std::string& origin) {
    const auto value = json.find("chat_template");
    if (!found.origin.empty() || !value || value->is_null()) return;
    found.source = default_of(*value);
    if (!found.source.empty()) found.origin = origin;
  };
  const auto take_json = [&](const char* name) {
    if (files.has(name)) take(files.json(name), files.path_of(name));
  };
  take_json("chat_template.json");  // before .jinja, as the processor does
  if (constexpr const char* kJinja = "chat_template.jinja"; files.has(kJinja) && found.origin.empty()) {
    found.source = files.text(kJinja);
    found.origin = files.path_of(kJinja);
  }
  take_json("processor_config.json");
  if (constexpr const char* kConfig = "tokenizer_config.json"; files.has(kConfig)) {
    const Json json = files.json(kConfig);
    take(json, files.path_of(kConfig));
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
