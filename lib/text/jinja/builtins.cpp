// Jinja's filters and tests, and Python's methods, as far as chat templates use them.
#include <algorithm>
#include <cstdint>

#include "../unicode.hpp"
#include "evaluate.hpp"
#include "octavo/error.hpp"

namespace octavo::text::jinja {
namespace {

[[noreturn]] void missing(const std::string& what) {
  throw Error(ErrorCode::unsupported, what + " is not among what Octavo has of Jinja");
}

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::invalid_argument, what); }

std::uint32_t character_at(const std::string& text, std::size_t at) { return next_code_point(text, at); }

/// Python's str.isspace differs from White_Space by four separators.
bool is_python_space(std::uint32_t c) { return class_of(c) == CharClass::space || (c >= 0x1C && c <= 0x1F); }

/// str.strip and its kin; without `characters` white space.
Text stripped(const Text& text, const Text* characters, bool left, bool right) {
  const auto goes = [&](std::size_t at) {
    const std::uint32_t code = character_at(text.bytes, at);
    if (characters == nullptr) return is_python_space(code);
    for (std::size_t i = 0; i < characters->bytes.size();)
      if (next_code_point(characters->bytes, i) == code) return true;
    return false;
  };
  std::size_t begin = 0;
  std::size_t end = text.bytes.size();
  while (left && begin < end && goes(begin)) next_code_point(text.bytes, begin);
  while (right && begin < end && goes(previous_begin(text.bytes, end))) end = previous_begin(text.bytes, end);
  return text.substr(begin, end);
}

List split(const Text& text, const Text& separator) {
  if (separator.bytes.empty()) fail("empty separator");
  List parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = text.bytes.find(separator.bytes, begin);
    parts.push_back(Value::of(text.substr(begin, std::min(at, text.bytes.size()))));
    if (at == std::string::npos) return parts;
    begin = at + separator.bytes.size();
  }
}

Text replaced(const Text& text, const Text& old, const Text& now) {
  if (old.bytes.empty()) missing("replacing an empty string");
  Text made;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = text.bytes.find(old.bytes, begin);
    made.append(text.substr(begin, std::min(at, text.bytes.size())));
    if (at == std::string::npos) return made;
    made.append(now);
    if (made.bytes.size() > kMaxBytes) missing("a text longer than 64 MiB");
    begin = at + old.bytes.size();
  }
}

std::int64_t length_of(const Value& value) {
  if (value.kind == Value::Kind::list) return static_cast<std::int64_t>(value.list->size());
  if (value.kind == Value::Kind::dict) return static_cast<std::int64_t>(value.dict->size());
  if (value.kind == Value::Kind::undefined) return 0;
  if (value.kind != Value::Kind::text) fail(std::string("object of type '") + type_name(value) + "' has no len()");
  std::int64_t count = 0;
  for (std::size_t at = 0; at < value.text.bytes.size(); ++count) next_code_point(value.text.bytes, at);
  return count;
}

const Text& text_of(const Value& value, const std::string& name) {
  if (value.kind != Value::Kind::text) fail(name + ": a str is needed, not " + type_name(value));
  return value.text;
}

bool ends_with(const Text& text, const Text& part) { return text.bytes.ends_with(part.bytes); }

}  // namespace

Value apply_filter(const std::string& name, const std::vector<Value>& arguments) {
  const Value& value = arguments.front();
  if (name == "trim" && arguments.size() == 1) return Value::of(stripped(printed(value), nullptr, true, true));
  if (name == "string" && arguments.size() == 1) return Value::of(printed(value));
  if ((name == "length" || name == "count") && arguments.size() == 1) return Value::of(length_of(value));
  if ((name == "default" || name == "d") && arguments.size() <= 3) {
    const bool also_false = arguments.size() == 3 && arguments[2].truthy();
    const bool missing_value = value.kind == Value::Kind::undefined || (also_false && !value.truthy());
    if (!missing_value) return value;
    return arguments.size() > 1 ? arguments[1] : Value::of(std::string());
  }
  if ((name == "first" || name == "last") && value.kind == Value::Kind::list && arguments.size() == 1) {
    if (value.list->empty()) return Value::undefined(name);
    return name == "first" ? value.list->front() : value.list->back();
  }
  missing("the filter '" + name + "'" + (arguments.size() > 1 ? " with arguments" : ""));
}

bool apply_test(const std::string& name, const Value& value) {
  using Kind = Value::Kind;
  if (name == "defined") return value.kind != Kind::undefined;
  if (name == "undefined") return value.kind == Kind::undefined;
  if (name == "none") return value.kind == Kind::none;
  if (name == "string") return value.kind == Kind::text;
  if (name == "mapping") return value.kind == Kind::dict && !value.is_namespace;
  if (name == "iterable" || name == "sequence")
    return value.kind == Kind::text || value.kind == Kind::list || value.kind == Kind::undefined ||
           (value.kind == Kind::dict && !value.is_namespace);
  if (name == "number") return value.is_number();
  if (name == "integer") return value.kind == Kind::integer;
  if (name == "boolean") return value.kind == Kind::boolean;
  if (name == "true") return value.kind == Kind::boolean && value.boolean;
  if (name == "false") return value.kind == Kind::boolean && !value.boolean;
  missing("the test 'is " + name + "'");
}

Value call_method(const std::string& name, const std::vector<Value>& arguments) {
  const Value& object = arguments.front();
  const std::size_t count = arguments.size() - 1;
  if (object.kind == Value::Kind::text) {
    const Text& text = object.text;
    const bool left = name == "strip" || name == "lstrip";
    const bool right = name == "strip" || name == "rstrip";
    if ((left || right) && count <= 1) {
      const bool given = count == 1 && arguments[1].kind != Value::Kind::none;
      return Value::of(stripped(text, given ? &text_of(arguments[1], name) : nullptr, left, right));
    }
    if (name == "startswith" && count == 1) return Value::of(text.bytes.starts_with(text_of(arguments[1], name).bytes));
    if (name == "endswith" && count == 1) return Value::of(ends_with(text, text_of(arguments[1], name)));
    if (name == "split" && count == 1) return Value::of(split(text, text_of(arguments[1], name)));
    if (name == "replace" && count == 2)
      return Value::of(replaced(text, text_of(arguments[1], name), text_of(arguments[2], name)));
  }
  if (object.kind == Value::Kind::dict && !object.is_namespace) {
    if (name == "get" && (count == 1 || count == 2)) {
      const Value* found = object.find(text_of(arguments[1], name).bytes);
      return found != nullptr ? *found : count == 2 ? arguments[2] : Value::none();
    }
    if ((name == "items" || name == "keys" || name == "values") && count == 0) {
      List members;
      for (const auto& [key, value] : *object.dict) {
        if (name == "items")
          members.push_back(Value::of(List{Value::of(key), value}));
        else
          members.push_back(name == "keys" ? Value::of(key) : value);
      }
      return Value::of(std::move(members));
    }
  }
  missing(std::string("the method '") + name + "' of a " + type_name(object));
}

}  // namespace octavo::text::jinja
