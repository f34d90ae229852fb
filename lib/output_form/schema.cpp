#include "schema.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keywords.hpp"
#include "octavo/error.hpp"
#include "pointer.hpp"

namespace octavo::output_form {
namespace {

[[noreturn]] void refuse(PlainCode code, const Json& at, const std::string& what) {
  throw Error(code, "output form: " + at.where() + ": " + what);
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class SchemaReader {
 public:
  explicit SchemaReader(const Json& root) : root_(root) {
    reserve_reference("");
    while (!waiting_.empty()) {
      const auto [id, schema] = waiting_.front();
      waiting_.pop_front();
      values_[id] = read(schema);
    }
  }

  Values values() && { return std::move(values_); }

 private:
  ValueId add(Value value) {
    values_.push_back(std::move(value));
    return static_cast<ValueId>(values_.size() - 1);
  }

  ValueId value_of(const Json& schema) { return add(read(schema)); }

  /// The value at a place of the document, read once, and later: chains of references may be long.
  ValueId reserve_reference(const std::string& pointer) {
    const auto known = references_.find(pointer);
    if (known != references_.end()) return known->second;
    const Json target = at_pointer(root_, pointer);
    const ValueId id = add(OneOf{});
    references_.emplace(pointer, id);
    waiting_.emplace_back(id, target);
    return id;
  }

  Value read(const Json& schema) {
    if (schema.is_bool()) return schema.as_bool() ? Value(AnyValue{}) : Value(OneOf{});
    if (!schema.is_object()) refuse(ErrorCode::format, schema, "a schema is an object, true or false");
    if (schema.find("$id") && !std::exchange(at_root_, false))
      refuse(ErrorCode::unsupported, schema, "\"$id\" is supported at the root alone: references start there");
    at_root_ = false;
    const std::vector<std::string> asked = constraints_of(schema);
    for (const char* alone : {"$ref", "anyOf", "oneOf", "allOf", "enum", "const"}) {
      if (!contains(asked, alone)) continue;
      const bool literal = std::string_view(alone) == "enum" || std::string_view(alone) == "const";
      for (const std::string& other : asked)
        if (other != alone && !(literal && other == "type"))
          refuse(ErrorCode::unsupported, schema,
                 "\"" + other + "\" beside \"" + alone + "\" is not supported: write one schema that says both");
      return read_alone(schema, alone);
    }
    return of_types(schema, types_of(schema, asked));
  }

  Value read_alone(const Json& schema, const std::string& keyword) {
    const Json value = schema.at(keyword);
    if (keyword == "$ref") {
      const std::string& reference = value.as_string();
      if (reference.empty() || reference.front() != '#' || (reference.size() > 1 && reference[1] != '/'))
        refuse(ErrorCode::unsupported, value,
               "\"" + reference + "\" is no place in this document: \"#\" or \"#/...\" is");
      return OneOf{{reserve_reference(reference.substr(1))}};
    }
    if (keyword == "const") return literals(schema, {value});
    if (!value.is_array() || value.size() == 0) refuse(ErrorCode::format, value, "it must be a list, not empty");
    std::vector<Json> items;
    for (std::size_t i = 0; i < value.size(); ++i) items.push_back(value.at(i));
    if (keyword == "enum") return literals(schema, items);
    if (keyword == "allOf" && items.size() > 1)
      refuse(ErrorCode::unsupported, value, "several schemas at once are not supported: write one that says all");
    OneOf choice;
    for (const Json& item : items) choice.values.push_back(value_of(item));
    return choice;
  }

  /// Of an enum's values those of the schema's types.
  Value literals(const Json& schema, const std::vector<Json>& values) {
    const std::vector<std::string> types = schema.find("type") ? stated_types(schema) : std::vector<std::string>();
    OneOf choice;
    for (const Json& value : values) {
      const bool whole = value.is_number() && std::floor(value.as_number()) == value.as_number();
      if (types.empty() || contains(types, type_of(value)) || (whole && contains(types, "integer")))
        choice.values.push_back(add(LiteralValue{value}));
    }
    return choice;
  }

  Value of_types(const Json& schema, const std::vector<std::string>& types) {
    if (types.size() == 1) return of_type(schema, types.front());
    OneOf choice;
    for (const std::string& type : types) choice.values.push_back(add(of_type(schema, type)));
    return choice;
  }

  Value of_type(const Json& schema, const std::string& type) {
    if (type == "null") return LiteralValue{JsonBuilder(nullptr).build()};
    if (type == "boolean")
      return OneOf{{add(LiteralValue{JsonBuilder(true).build()}), add(LiteralValue{JsonBuilder(false).build()})}};
    if (type == "integer") return read_integer(schema);
    if (type == "number") return read_number(schema);
    if (type == "string") return read_string(schema);
    if (type == "array") return read_array(schema);
    return read_object(schema);
  }

  static std::uint64_t count_of(const Json& schema, const char* keyword, std::uint64_t otherwise) {
    const auto value = schema.find(keyword);
    if (!value) return otherwise;
    const std::int64_t count = value->as_int();
    if (count < 0) refuse(ErrorCode::format, *value, "a count is not negative");
    return static_cast<std::uint64_t>(count);
  }
  template <class Counted>
  static void read_counts(const Json& schema, const char* least, const char* most, Counted& counted) {
    counted.least = count_of(schema, least, 0);
    if (schema.find(most)) counted.most = count_of(schema, most, 0);
    if (counted.most && *counted.most < counted.least)
      refuse(ErrorCode::invalid_argument, schema, std::string(most) + " is less than " + least);
  }

  static Value read_integer(const Json& schema) {
    constexpr double kLargest = 9e17;  // a double below 18 digits
    const auto bound = [&](const char* keyword, std::int64_t otherwise, bool upper, bool exclusive) {
      const auto value = schema.find(keyword);
      if (!value) return otherwise;
      const double number = value->as_number();
      if (number > kLargest || number < -kLargest) return (number > 0) == upper ? otherwise : no_integer(*value);
      if (value->is_integer()) return value->as_int() + (exclusive ? (upper ? -1 : 1) : 0);
      const double whole = upper ? std::floor(number) : std::ceil(number);
      const bool moved = exclusive && whole == number;
      return static_cast<std::int64_t>(whole) + (moved ? (upper ? -1 : 1) : 0);
    };
    IntegerValue integer;
    integer.least =
        std::max(bound("minimum", integer.least, false, false), bound("exclusiveMinimum", integer.least, false, true));
    integer.most =
        std::min(bound("maximum", integer.most, true, false), bound("exclusiveMaximum", integer.most, true, true));
    if (integer.least > integer.most) return OneOf{};
    return integer;
  }

  static Value read_number(const Json& schema) {
    NumberValue number;
    for (const auto& [keyword, exclusive] : {std::pair("minimum", false), std::pair("exclusiveMinimum", true)})
      if (const auto value = schema.find(keyword)) {
        const NumberBound bound{value->as_number(), exclusive};
        if (!number.least || bound.value >= number.least->value) number.least = bound;
      }
    for (const auto& [keyword, exclusive] : {std::pair("maximum", false), std::pair("exclusiveMaximum", true)})
      if (const auto value = schema.find(keyword)) {
        const NumberBound bound{value->as_number(), exclusive};
        if (!number.most || bound.value <= number.most->value) number.most = bound;
      }
    return number;
  }

  [[noreturn]] static std::int64_t no_integer(const Json& at) {
    refuse(ErrorCode::unsupported, at, "integers of a form have at most 18 digits");
  }

  static Value read_string(const Json& schema) {
    StringValue string;
    read_counts(schema, "minLength", "maxLength", string);
    if (const auto pattern = schema.find("pattern")) {
      if (string.least > 0 || string.most)
        refuse(ErrorCode::unsupported, *pattern, "a pattern beside a length is not supported: say both in the pattern");
      string.pattern = Regular::parse(pattern->as_string(), false);
    }
    return string;
  }

  Value read_array(const Json& schema) {
    ArrayValue array;
    read_counts(schema, "minItems", "maxItems", array);
    if (const auto first = schema.find("prefixItems")) {
      if (!first->is_array()) refuse(ErrorCode::format, *first, "it must be a list of schemas");
      for (std::size_t i = 0; i < first->size(); ++i) array.first.push_back(value_of(first->at(i)));
    }
    if (const auto items = schema.find("items")) {
      if (items->is_array())
        refuse(ErrorCode::unsupported, *items, "a list of schemas is \"prefixItems\" since JSON Schema 2020-12");
      if (!items->is_bool() || items->as_bool()) array.rest = value_of(*items);
    } else if (array.first.empty()) {
      array.rest = add(AnyValue{});
    }
    if (!array.rest && array.least > array.first.size()) return OneOf{};
    return array;
  }

  Value read_object(const Json& schema) {
    ObjectValue object;
    const auto properties = schema.find("properties");
    if (properties && !properties->is_object()) refuse(ErrorCode::format, *properties, "it must be an object");
    std::vector<std::string> required;
    if (const auto names = schema.find("required")) {
      if (!names->is_array()) refuse(ErrorCode::format, *names, "it must be a list of names");
      for (std::size_t i = 0; i < names->size(); ++i) required.push_back(names->at(i).as_string());
    }
    std::sort(required.begin(), required.end());
    if (properties)
      properties->for_each_member([&](std::string_view key, const Json& value) {
        const bool must = std::binary_search(required.begin(), required.end(), key);
        object.members.push_back({std::string(key), value_of(value), must});
      });
    for (const std::string& name : required)
      if (!properties || !properties->find(name))
        refuse(ErrorCode::unsupported, schema.at("required"), "\"" + name + "\" is none of the properties");
    if (const auto rest = schema.find("additionalProperties")) {
      if (!rest->is_bool() || rest->as_bool()) object.rest = value_of(*rest);
    } else if (!properties) {
      object.rest = add(AnyValue{});
    }
    return object;
  }

  const Json& root_;
  bool at_root_ = true;
  Values values_;
  std::map<std::string, ValueId> references_;
  std::deque<std::pair<ValueId, Json>> waiting_;
};

}  // namespace

Values read_schema(std::string_view schema) { return SchemaReader(Json::parse(schema, "schema")).values(); }

}  // namespace octavo::output_form
