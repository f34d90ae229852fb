// Random schemas, values that have them, and whether a value has one: straight from JSON Schema's words, with none of
// what the library makes of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "octavo/json.hpp"

namespace schemas {

using octavo::Json;
using octavo::JsonBuilder;

/// JSON Schema 2020-12, as far as Octavo honours it, and with its narrower reading of absent additionalProperties and
/// items: none. `root` is where references start.
inline bool valid(const Json& root, const Json& schema, const Json& value) {
  if (schema.is_bool()) return schema.as_bool();
  if (const auto reference = schema.find("$ref")) {
    const std::string& name = reference->as_string();
    return valid(root, name == "#" ? root : root.at("$defs").at(name.substr(8)), value);
  }
  if (const auto choices = schema.find("anyOf")) {
    for (std::size_t i = 0; i < choices->size(); ++i)
      if (valid(root, choices->at(i), value)) return true;
    return false;
  }
  if (const auto values = schema.find("enum")) {
    for (std::size_t i = 0; i < values->size(); ++i)
      if (values->at(i).dump() == value.dump()) return true;
    return false;
  }
  const std::string type = schema.get_string("type", "");
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "integer" || type == "number") {
    if (!value.is_number() || (type == "integer" && !value.is_integer())) return false;
    const double number = value.as_number();
    if (number < schema.get_number("minimum", -HUGE_VAL) || number > schema.get_number("maximum", HUGE_VAL))
      return false;
    const auto above = schema.find("exclusiveMinimum"), below = schema.find("exclusiveMaximum");
    return !(above && number <= above->as_number()) && !(below && number >= below->as_number());
  }
  if (type == "string") {
    if (!value.is_string()) return false;
    std::int64_t characters = 0;
    for (const char c : value.as_string())
      if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80) ++characters;
    return characters >= schema.get_int("minLength", 0) && characters <= schema.get_int("maxLength", 1 << 30);
  }
  if (type == "array") {
    if (!value.is_array()) return false;
    const auto count = static_cast<std::int64_t>(value.size());
    if (count < schema.get_int("minItems", 0) || count > schema.get_int("maxItems", 1 << 30)) return false;
    const auto first = schema.find("prefixItems"), rest = schema.find("items");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const bool named = first && i < first->size();
      if (!named && !rest) return !first;
      if (!valid(root, named ? first->at(i) : *rest, value.at(i))) return false;
    }
    return true;
  }
  if (type == "object") {
    if (!value.is_object()) return false;
    const auto properties = schema.find("properties"), rest = schema.find("additionalProperties");
    if (const auto required = schema.find("required"))
      for (std::size_t i = 0; i < required->size(); ++i)
        if (!value.find(required->at(i).as_string())) return false;
    bool all = true;
    value.for_each_member([&](std::string_view key, const Json& member) {
      const auto named = properties ? properties->find(key) : std::nullopt;
      if (named)
        all = all && valid(root, *named, member);
      else
        all = all && (rest ? valid(root, *rest, member) : !properties);
    });
    return all;
  }
  return true;  // no type: any value
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(count));
  }
  bool chance(int percent) { return below(100) < percent; }

  std::string word() {
    static const std::vector<std::string> pieces{
        "a", "b", "ab", "\"", "\\", "\n", "\x01", "/", " ", "\xC3\xA9", "\xF0\x9F\x98\x80", "key", "{", "]"};
    std::string text;
    for (std::int64_t i = below(4); i > 0; --i) text += pieces[static_cast<std::size_t>(below(14))];
    return text;
  }

  /// A document with two definitions, which may refer to each other inside of arrays and objects.
  Json document() {
    JsonBuilder definitions = JsonBuilder::object();
    definitions.set("x", schema(2, false));
    definitions.set("y", schema(2, false));
    JsonBuilder root = schema(3, false);
    root.set("$defs", std::move(definitions));
    return root.build("schema");
  }

  JsonBuilder schema(int depth, bool inside) {
    JsonBuilder made = JsonBuilder::object();
    const std::int64_t kind = below(depth > 0 ? 11 : 7);
    if (kind == 0) return made.set("type", chance(50) ? "null" : "boolean"), made;
    if (kind == 1 || kind == 2) {
      made.set("type", kind == 1 ? "integer" : "number");
      const std::int64_t least = below(300) - 150, most = least + 2 + below(200);
      const double part = kind == 1 ? 0 : static_cast<double>(below(100)) / 100;
      if (chance(40)) made.set(chance(30) ? "exclusiveMinimum" : "minimum", bound(least, part));
      if (chance(40)) made.set(chance(30) ? "exclusiveMaximum" : "maximum", bound(most, part));
      return made;
    }
    if (kind == 3) {
      made.set("type", "string");
      const std::int64_t least = below(4);
      if (chance(40)) made.set("minLength", least);
      if (chance(40)) made.set("maxLength", least + below(6));
      return made;
    }
    if (kind == 4) {
      JsonBuilder values = JsonBuilder::array();
      for (std::int64_t i = 1 + below(3); i > 0; --i) {
        if (chance(60))
          values.push(word());
        else
          values.push(below(100));
      }
      return made.set("enum", std::move(values)), made;
    }
    if (kind == 5) return made;
    if (kind == 6) {
      if (!inside) return made.set("type", "null"), made;
      return made.set("$ref", chance(50) ? "#/$defs/x" : "#/$defs/y"), made;
    }
    if (kind == 7) {
      JsonBuilder choices = JsonBuilder::array();
      for (std::int64_t i = 1 + below(3); i > 0; --i) choices.push(schema(depth - 1, inside));
      return made.set("anyOf", std::move(choices)), made;
    }
    if (kind == 8) return array(depth);
    made.set("type", "object");
    std::vector<std::string> keys;
    JsonBuilder properties = JsonBuilder::object(), required = JsonBuilder::array();
    for (std::int64_t i = below(5); i > 0; --i) {
      const std::string key = word() + std::to_string(i);
      const bool must = chance(40);
      properties.set(key, schema(depth - 1, !must));  // what must be there does not lead back
      if (must) required.push(key);
    }
    made.set("properties", std::move(properties));
    made.set("required", std::move(required));
    return made;
  }

  /// A value of the schema as text: members in the schema's order, spaces as `separated` says.
  std::string value(const Json& root, const Json& schema, int depth, bool separated) {
    const std::string comma = separated ? ", " : ",", colon = separated ? ": " : ":";
    if (const auto reference = schema.find("$ref"))
      return value(root, root.at("$defs").at(reference->as_string().substr(8)), depth, separated);
    if (const auto choices = schema.find("anyOf"))
      return value(root, choices->at(static_cast<std::size_t>(below(static_cast<std::int64_t>(choices->size())))),
                   depth, separated);
    if (const auto values = schema.find("enum"))
      return values->at(static_cast<std::size_t>(below(static_cast<std::int64_t>(values->size())))).dump();
    const std::string type = schema.get_string("type", "");
    if (type == "null" || type.empty()) return type.empty() && chance(50) ? R"([1, {"a": "b"}])" : "null";
    if (type == "boolean") return chance(50) ? "true" : "false";
    if (type == "integer" || type == "number") return number(schema, type == "integer");
    if (type == "string") {
      const std::int64_t least = schema.get_int("minLength", 0);
      const std::int64_t most = schema.get_int("maxLength", least + 4);
      std::string text = "\"";
      static const std::vector<std::string> characters{
          "a", "\\\"",        "\\\\", "\\n", "\\u00e9", "\xC3\xA9", "\\/", "\xF0\x9F\x98\x80", "\\ud83d\\ude00",
          " ", "\xE2\x82\xAC"};
      for (std::int64_t i = least + below(most - least + 1); i > 0; --i)
        text += characters[static_cast<std::size_t>(below(11))];
      return text + "\"";
    }
    std::string text;
    if (type == "array") {
      const auto first = schema.find("prefixItems"), rest = schema.find("items");
      const auto known = first ? static_cast<std::int64_t>(first->size()) : 0;
      const std::int64_t least = schema.get_int("minItems", 0);
      std::int64_t most = schema.get_int("maxItems", std::max(least, known) + (rest && depth > 0 ? 3 : 0));
      if (!rest) most = std::min(most, known);
      if (depth <= 0) most = least;
      for (std::int64_t i = 0, count = least + below(most - least + 1); i < count; ++i)
        text += (i > 0 ? comma : "") +
                value(root, i < known ? first->at(static_cast<std::size_t>(i)) : *rest, depth - 1, separated);
      return "[" + text + "]";
    }
    std::vector<std::string> required;
    for (std::size_t i = 0; i < schema.at("required").size(); ++i)
      required.push_back(schema.at("required").at(i).as_string());
    schema.at("properties").for_each_member([&](std::string_view key, const Json& member) {
      const bool must = std::find(required.begin(), required.end(), key) != required.end();
      if (!must && (depth <= 0 || chance(50))) return;
      text += (text.empty() ? "" : comma) + JsonBuilder(key).dump() + colon + value(root, member, depth - 1, separated);
    });
    return "{" + text + "}";
  }

 private:
  static JsonBuilder bound(std::int64_t whole, double part) {
    return part == 0 ? JsonBuilder(whole) : JsonBuilder(static_cast<double>(whole) + part);
  }

  JsonBuilder array(int depth) {
    JsonBuilder made = JsonBuilder::object();
    made.set("type", "array");
    std::int64_t least = below(3);
    const bool tuple = chance(40);
    if (tuple) {
      JsonBuilder first = JsonBuilder::array();
      for (std::int64_t i = 0; i < least + 1; ++i) first.push(schema(depth - 1, i >= least));
      made.set("prefixItems", std::move(first));
    }
    if (!tuple || chance(50)) made.set("items", schema(depth - 1, least == 0 || tuple));
    if (chance(50))
      made.set("minItems", least);
    else
      least = 0;
    if (chance(30)) made.set("maxItems", least + 1 + below(4));
    return made;
  }

  std::string number(const Json& schema, bool integer) {
    const double least = std::max(schema.get_number("minimum", -1e4), schema.get_number("exclusiveMinimum", -1e4));
    const double most = std::min(schema.get_number("maximum", least + 2e3), schema.get_number("exclusiveMaximum", 1e6));
    // Whole numbers strictly inside, and for numbers with digits behind the point where there is room.
    const auto first = static_cast<std::int64_t>(std::floor(least)) + 1;
    const auto last = static_cast<std::int64_t>(std::ceil(most)) - 1;
    const std::int64_t whole = first + below(std::max<std::int64_t>(last - first + 1, 1));
    if (integer || chance(40) || whole < 1 || whole + 1 > last) return std::to_string(whole);
    return std::to_string(whole) + "." + std::to_string(1 + below(99999));
  }

  std::mt19937_64 engine_;
};

}  // namespace schemas
