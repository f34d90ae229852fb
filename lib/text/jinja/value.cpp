#include "value.hpp"

#include <algorithm>
#include <array>

#include "octavo/error.hpp"

namespace octavo::text::jinja {

Text Text::of_user(std::string text) {
  Text made;
  if (!text.empty()) made.user.push_back({0, text.size()});
  made.bytes = std::move(text);
  return made;
}

void Text::append(const Text& other) {
  const std::size_t shift = bytes.size();
  bytes += other.bytes;
  for (const TextRange& range : other.user) user.push_back({range.begin + shift, range.end + shift});
}

Text Text::substr(std::size_t begin, std::size_t end) const {
  Text part;
  if (begin >= end) return part;
  part.bytes = bytes.substr(begin, end - begin);
  for (const TextRange& range : user)
    if (range.begin < end && begin < range.end)
      part.user.push_back({std::max(range.begin, begin) - begin, std::min(range.end, end) - begin});
  return part;
}

Value Value::undefined(std::string name) {
  Value value;
  value.text.bytes = std::move(name);
  return value;
}

Value Value::none() {
  Value value;
  value.kind = Kind::none;
  return value;
}

Value Value::of(bool boolean) {
  Value value;
  value.kind = Kind::boolean;
  value.boolean = boolean;
  return value;
}

Value Value::of(std::int64_t integer) {
  Value value;
  value.kind = Kind::integer;
  value.integer = integer;
  return value;
}

Value Value::of(double number) {
  Value value;
  value.kind = Kind::number;
  value.number = number;
  return value;
}

Value Value::of(Text text) {
  Value value;
  value.kind = Kind::text;
  value.text = std::move(text);
  return value;
}

Value Value::of(std::string text) {
  Text made;
  made.bytes = std::move(text);
  return of(std::move(made));
}

Value Value::of(List list) {
  Value value;
  value.kind = Kind::list;
  value.list = std::make_shared<List>(std::move(list));
  return value;
}

Value Value::of(Dict dict) {
  Value value;
  value.kind = Kind::dict;
  value.dict = std::make_shared<Dict>(std::move(dict));
  return value;
}

double Value::as_number() const {
  if (kind == Kind::boolean) return boolean ? 1 : 0;
  return kind == Kind::integer ? static_cast<double>(integer) : number;
}

bool Value::truthy() const {
  switch (kind) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::text:
      return !text.bytes.empty();
    case Kind::list:
      return !list->empty();
    case Kind::dict:
      return is_namespace || !dict->empty();
    default:
      return as_number() != 0;
  }
}

const Value* Value::find(std::string_view key) const {
  if (kind != Kind::dict) return nullptr;
  const auto found = std::find_if(dict->begin(), dict->end(), [&](const auto& member) { return member.first == key; });
  return found == dict->end() ? nullptr : &found->second;
}

const char* type_name(const Value& value) {
  constexpr std::array<const char*, 8> kNames{"Undefined", "NoneType", "bool", "int", "float", "str", "list", "dict"};
  return kNames[static_cast<std::size_t>(value.kind)];
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return a.as_number() == b.as_number();
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Value::Kind::text:
      return a.text.bytes == b.text.bytes;
    case Value::Kind::list:
      return std::equal(a.list->begin(), a.list->end(), b.list->begin(), b.list->end(), equal);
    case Value::Kind::dict:
      return a.dict->size() == b.dict->size() && std::all_of(a.dict->begin(), a.dict->end(), [&](const auto& member) {
               const Value* other = b.find(member.first);
               return other != nullptr && equal(member.second, *other);
             });
    default:
      return true;
  }
}

Text printed(const Value& value) {
  Text text;
  switch (value.kind) {
    case Value::Kind::undefined:
      break;
    case Value::Kind::none:
      text.bytes = "None";
      break;
    case Value::Kind::boolean:
      text.bytes = value.boolean ? "True" : "False";
      break;
    case Value::Kind::integer:
      text.bytes = std::to_string(value.integer);
      break;
    case Value::Kind::text:
      return value.text;
    default:
      throw Error(ErrorCode::unsupported,
                  std::string("a ") + type_name(value) + " is printed, which Octavo does not do");
  }
  return text;
}

}  // namespace octavo::text::jinja
