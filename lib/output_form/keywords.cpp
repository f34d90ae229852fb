#include "keywords.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "octavo/error.hpp"

namespace octavo::output_form {
namespace {

constexpr std::array<std::string_view, 14> kAnnotations{
    "title",    "description", "default", "examples",    "deprecated", "readOnly",         "writeOnly",
    "$comment", "$schema",     "$defs",   "definitions", "$id",        "contentMediaType", "contentEncoding"};
/// Those that stand for themselves speak of no type.
constexpr std::array<std::pair<std::string_view, std::string_view>, 21> kConstraints{
    {{"type", ""},
     {"enum", ""},
     {"const", ""},
     {"$ref", ""},
     {"anyOf", ""},
     {"oneOf", ""},
     {"allOf", ""},
     {"properties", "object"},
     {"required", "object"},
     {"additionalProperties", "object"},
     {"items", "array"},
     {"prefixItems", "array"},
     {"minItems", "array"},
     {"maxItems", "array"},
     {"minLength", "string"},
     {"maxLength", "string"},
     {"pattern", "string"},
     {"minimum", "number"},
     {"maximum", "number"},
     {"exclusiveMinimum", "number"},
     {"exclusiveMaximum", "number"}}};
constexpr std::array<const char*, 7> kTypes{"null", "boolean", "integer", "number", "string", "array", "object"};

std::string_view type_constrained_by(std::string_view keyword) {
  const auto* found = std::find_if(kConstraints.begin(), kConstraints.end(),
                                   [&](const auto& constraint) { return constraint.first == keyword; });
  return found->second;
}

}  // namespace

std::vector<std::string> constraints_of(const Json& schema) {
  std::vector<std::string> constraints;
  schema.for_each_member([&](std::string_view key, const Json& value) {
    if (std::find(kAnnotations.begin(), kAnnotations.end(), key) != kAnnotations.end()) return;
    const bool known = std::any_of(kConstraints.begin(), kConstraints.end(),
                                   [&](const auto& constraint) { return constraint.first == key; });
    if (!known)
      throw Error(ErrorCode::unsupported, "output form: " + value.where() +
                                              ": this keyword is not supported, and is not left out silently; "
                                              "docs/output_form.md lists those that are");
    constraints.emplace_back(key);
  });
  return constraints;
}

std::string type_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "boolean";
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  return "number";
}

std::vector<std::string> stated_types(const Json& schema) {
  const Json type = schema.at("type");
  std::vector<std::string> types;
  const auto add = [&](const Json& name) {
    const bool known = std::find(kTypes.begin(), kTypes.end(), name.as_string()) != kTypes.end();
    if (!known)
      throw Error(ErrorCode::format, "output form: " + name.where() + ": \"" + name.as_string() +
                                         "\" is no type of JSON Schema: null, boolean, integer, number, string, array "
                                         "or object");
    types.push_back(name.as_string());
  };
  if (!type.is_array()) add(type);
  for (std::size_t i = 0; i < type.size() && type.is_array(); ++i) add(type.at(i));
  if (types.empty()) throw Error(ErrorCode::format, "output form: " + type.where() + ": it names no type");
  return types;
}

std::vector<std::string> types_of(const Json& schema, const std::vector<std::string>& constraints) {
  if (schema.find("type")) return stated_types(schema);
  std::vector<std::string> types;
  for (const std::string& keyword : constraints) {
    const std::string type(type_constrained_by(keyword));
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  if (types.empty()) types = {"null", "boolean", "number", "string", "array", "object"};
  return types;
}

}  // namespace octavo::output_form
