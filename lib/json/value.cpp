#include "value.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "octavo/error.hpp"
#include "octavo/message.hpp"

namespace octavo {

namespace {

constexpr std::size_t kMaxDepth = 200;
constexpr std::size_t kLinearSearch = 8;  // members up to which an index does not pay

// Builds the tree from the parser's events. The parser's own tree is not used: its ordered form looks keys up
// one by one while inserting, which is quadratic in a vocabulary of 150,000.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(JsonValue{}); }
  bool boolean(bool value) override { return put(JsonValue{value}); }
  bool number_integer(number_integer_t value) override { return put(JsonValue{std::int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return put(JsonValue{static_cast<std::int64_t>(value)});
    return put(JsonValue{static_cast<double>(value)});
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return put(JsonValue{value}); }
  bool string(string_t& value) override { return put(JsonValue{std::move(value)}); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(JsonValue{JsonValue::Object{}}); }
  bool start_array(std::size_t /*elements*/) override { return open(JsonValue{JsonValue::Array{}}); }
  bool key(string_t& name) override {
    keys_.back() = std::move(name);
    return true;
  }
  bool end_object() override {
    if (const std::string* twice = std::get<JsonValue::Object>(open_.back().content).index()) {
      problem = "the key " + in_quotes(*twice) + " appears twice in one object";
      return false;
    }
    return close();
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) override {
    const std::string what = error.what();
    const std::size_t reason = what.find("syntax error");
    problem = shortened(reason == std::string::npos ? what : what.substr(reason)) + " (byte " +
              std::to_string(position) + ")";
    return false;
  }

  JsonValue root;
  std::string problem;

 private:
  bool put(JsonValue value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (auto* array = std::get_if<JsonValue::Array>(&open_.back().content)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonValue::Object>(open_.back().content).members.emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }
  bool open(JsonValue container) {
    if (open_.size() == kMaxDepth) {
      problem = "nested more than " + std::to_string(kMaxDepth) + " levels deep";
      return false;
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    JsonValue done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return put(std::move(done));
  }

  std::vector<JsonValue> open_;
  std::vector<std::string> keys_;  // the pending key of each open container
};

std::string scalar_text(const nlohmann::json& scalar) {
  return scalar.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write(const JsonValue& value, int indent, int depth, std::string& out) {
  const auto line = [&](int levels) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(levels), ' ');
  };
  if (const auto* object = value.get_if<JsonValue::Object>()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : object->members) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      out += scalar_text(key);
      out += indent < 0 ? ":" : ": ";
      write(member, indent, depth + 1, out);
    }
    if (!first) line(depth);
    out += '}';
  } else if (const auto* array = value.get_if<JsonValue::Array>()) {
    out += '[';
    bool first = true;
    for (const JsonValue& element : *array) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      write(element, indent, depth + 1, out);
    }
    if (!first) line(depth);
    out += ']';
  } else if (const auto* text = value.get_if<std::string>()) {
    out += scalar_text(*text);
  } else if (const auto* integer = value.get_if<std::int64_t>()) {
    out += std::to_string(*integer);
  } else if (const auto* number = value.get_if<double>()) {
    out += scalar_text(*number);
  } else if (const auto* truth = value.get_if<bool>()) {
    out += *truth ? "true" : "false";
  } else {
    out += "null";
  }
}

}  // namespace

const std::string* JsonValue::Object::index() {
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return members[a].first < members[b].first; });
  const auto twice = std::adjacent_find(order.begin(), order.end(),
                                        [&](auto a, auto b) { return members[a].first == members[b].first; });
  if (twice != order.end()) return &members[*twice].first;
  if (members.size() > kLinearSearch) by_key = std::move(order);
  return nullptr;
}

void JsonValue::Object::set(std::string_view key, JsonValue value) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.first == key; });
  if (found != members.end()) {
    found->second = std::move(value);
    return;
  }
  by_key.clear();
  members.emplace_back(std::string(key), std::move(value));
}

void JsonValue::Object::erase(std::string_view key) {
  by_key.clear();
  std::erase_if(members, [&](const auto& member) { return member.first == key; });
}

std::size_t JsonValue::size() const noexcept {
  if (const auto* object = get_if<Object>()) return object->members.size();
  if (const auto* array = get_if<Array>()) return array->size();
  return 0;
}

const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  const auto* object = get_if<Object>();
  if (object == nullptr) return nullptr;
  if (!object->by_key.empty()) {
    const auto found =
        std::lower_bound(object->by_key.begin(), object->by_key.end(), key,
                         [&](std::uint32_t i, auto wanted) { return object->members[i].first < wanted; });
    if (found == object->by_key.end() || object->members[*found].first != key) return nullptr;
    return &object->members[*found].second;
  }
  for (const auto& [name, member] : object->members)
    if (name == key) return &member;
  return nullptr;
}

const char* JsonValue::kind() const noexcept {
  static constexpr const char* kKinds[] = {"null",     "a boolean", "a number", "a number",
                                           "a string", "an array",  "an object"};
  return kKinds[content.index()];
}

std::string JsonValue::dump(int indent) const {
  std::string out;
  write(*this, indent, 0, out);
  return out;
}

JsonValue parse_json(std::string_view text, const std::string& origin) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
    throw Error(ErrorCode::format, origin + ": not valid JSON: " + builder.problem);
  return std::move(builder.root);
}

}  // namespace octavo
