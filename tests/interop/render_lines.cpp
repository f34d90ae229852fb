// Octavo's side of templates_check.py: a template and its variables a line, {"source": ..., "variables": {...}}; writes
// {"text": ..., "user": ...}, or {"error": ..., "unsupported": ...}. Strings below "messages" are the user's.
//   render_lines < templates.jsonl
#include <cstdio>
#include <iostream>
#include <string>

#include "jinja/evaluate.hpp"
#include "octavo/json.hpp"

namespace {

using octavo::Json;
using namespace octavo::text::jinja;

Value value_of(const Json& json, bool user) {
  if (json.is_null()) return Value::none();
  if (json.is_bool()) return Value::of(json.as_bool());
  if (json.is_integer()) return Value::of(json.as_int());
  if (json.is_string()) return Value::of(user ? Text::of_user(json.as_string()) : Text{json.as_string(), {}});
  if (json.is_array()) {
    List list;
    for (std::size_t i = 0; i < json.size(); ++i) list.push_back(value_of(json.at(i), user));
    return Value::of(std::move(list));
  }
  Dict dict;
  json.for_each_member([&](std::string_view key, const Json& member) {
    dict.emplace_back(std::string(key), value_of(member, user || key == "messages"));
  });
  return Value::of(std::move(dict));
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    octavo::JsonBuilder answer = octavo::JsonBuilder::object();
    try {
      const Json job = Json::parse(line, "standard input");
      const Value variables = value_of(job.at("variables"), false);
      const Text text = render(parse(job.at("source").as_string()), *variables.dict);
      std::string user;
      for (const octavo::TextRange& range : text.user) user += text.bytes.substr(range.begin, range.end - range.begin);
      answer.set("text", text.bytes).set("user", user);
    } catch (const octavo::Error& error) {
      answer.set("error", error.what()).set("unsupported", error.code() == octavo::ErrorCode::unsupported);
    }
    std::puts(answer.dump().c_str());
  }
  return 0;
}
