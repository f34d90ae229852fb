#include "octavo/json.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>

#include "octavo/message.hpp"
#include "value.hpp"

namespace octavo {

// A node knows its document and how it was reached, so that errors name the key path.
struct Json::Node {
  std::shared_ptr<const JsonValue> document;
  const JsonValue* value = nullptr;
  std::shared_ptr<const std::string> origin;
  std::shared_ptr<const Node> parent;
  std::string key;  // as it is appended to the parent's path: ".name" or "[3]"
};

Json::Json() {
  static const auto null_document = std::make_shared<const JsonValue>();
  auto node = std::make_shared<Node>();
  node->document = null_document;
  node->value = null_document.get();
  node->origin = std::make_shared<const std::string>("null");
  node_ = std::move(node);
}

Json Json::parse(std::string_view text, const std::string& origin) {
  const auto document = std::make_shared<const JsonValue>(parse_json(text, origin));
  auto node = std::make_shared<Node>();
  node->document = document;
  node->value = document.get();
  node->origin = std::make_shared<const std::string>(origin);
  Json json;
  json.node_ = std::move(node);
  return json;
}

Json Json::read_file(const std::string& path, std::size_t max_bytes) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed))
    throw Error(ErrorCode::io, path + ": is a directory, a file is needed");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(ErrorCode::not_found, path + ": cannot be opened: it does not exist or may not be read");
  const std::streamoff size = file.tellg();
  if (size < 0) throw Error(ErrorCode::io, path + ": cannot be read");
  if (static_cast<std::uint64_t>(size) > max_bytes)
    throw Error(ErrorCode::format, path + ": " + std::to_string(size) + " bytes, more than the " +
                                       std::to_string(max_bytes) + " that a JSON file may have here");
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(text.data(), size)) throw Error(ErrorCode::io, path + ": cannot be read");
  return parse(text, path);
}

bool Json::is_null() const noexcept { return node_->value->holds<std::nullptr_t>(); }
bool Json::is_object() const noexcept { return node_->value->holds<JsonValue::Object>(); }
bool Json::is_array() const noexcept { return node_->value->holds<JsonValue::Array>(); }
bool Json::is_string() const noexcept { return node_->value->holds<std::string>(); }
bool Json::is_number() const noexcept { return node_->value->holds<std::int64_t>() || node_->value->holds<double>(); }
bool Json::is_bool() const noexcept { return node_->value->holds<bool>(); }

bool Json::is_integer() const noexcept {
  if (node_->value->holds<std::int64_t>()) return true;
  const double* number = node_->value->get_if<double>();
  return number != nullptr && std::floor(*number) == *number && std::abs(*number) < 9007199254740992.0;
}

std::size_t Json::size() const noexcept { return node_->value->size(); }

namespace {

template <class Node>
std::shared_ptr<const Node> child_node(const std::shared_ptr<const Node>& parent, const JsonValue& value,
                                       const std::string& key) {
  auto node = std::make_shared<Node>();
  node->document = parent->document;
  node->value = &value;
  node->origin = parent->origin;
  node->parent = parent;
  node->key = key;
  return node;
}

}  // namespace

std::optional<Json> Json::find(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  const JsonValue* found = node_->value->find(key);
  if (found == nullptr) return std::nullopt;
  Json json = *this;
  json.node_ = child_node(node_, *found, "." + std::string(key));
  return json;
}

Json Json::at(std::string_view key) const {
  if (!is_object())
    throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", an object with the key \"" +
                                       std::string(key) + "\" is needed");
  std::optional<Json> found = find(key);
  if (!found) throw Error(ErrorCode::not_found, where() + ": the key \"" + std::string(key) + "\" is missing");
  return *std::move(found);
}

Json Json::at(std::size_t index) const {
  if (!is_array()) throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", an array is needed");
  if (index >= size())
    throw Error(ErrorCode::not_found,
                where() + ": element " + std::to_string(index) + " is missing, there are " + std::to_string(size()));
  Json json = *this;
  json.node_ = child_node(node_, (*node_->value->get_if<JsonValue::Array>())[index], "[" + std::to_string(index) + "]");
  return json;
}

void Json::for_each_member(const std::function<void(std::string_view key, const Json& value)>& visit) const {
  if (!is_object()) throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", an object is needed");
  for (const auto& [key, value] : node_->value->get_if<JsonValue::Object>()->members) {
    Json member = *this;
    member.node_ = child_node(node_, value, "." + key);
    visit(key, member);
  }
}

std::int64_t Json::as_int() const {
  if (const auto* number = node_->value->get_if<std::int64_t>()) return *number;
  if (is_integer()) return static_cast<std::int64_t>(*node_->value->get_if<double>());
  throw Error(ErrorCode::format, where() + " is " + (is_number() ? node_->value->dump(-1) : node_->value->kind()) +
                                     ", an integer is needed");
}

double Json::as_number() const {
  if (!is_number()) throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", a number is needed");
  const double* number = node_->value->get_if<double>();
  return number != nullptr ? *number : static_cast<double>(*node_->value->get_if<std::int64_t>());
}

bool Json::as_bool() const {
  if (!is_bool()) throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", true or false is needed");
  return *node_->value->get_if<bool>();
}

const std::string& Json::as_string() const {
  if (!is_string()) throw Error(ErrorCode::format, where() + " is " + node_->value->kind() + ", a string is needed");
  return *node_->value->get_if<std::string>();
}

std::int64_t Json::get_int(std::string_view key, std::int64_t fallback) const {
  const std::optional<Json> found = find(key);
  return found && !found->is_null() ? found->as_int() : fallback;
}
double Json::get_number(std::string_view key, double fallback) const {
  const std::optional<Json> found = find(key);
  return found && !found->is_null() ? found->as_number() : fallback;
}
bool Json::get_bool(std::string_view key, bool fallback) const {
  const std::optional<Json> found = find(key);
  return found && !found->is_null() ? found->as_bool() : fallback;
}
std::string Json::get_string(std::string_view key, std::string fallback) const {
  const std::optional<Json> found = find(key);
  if (found && !found->is_null()) return found->as_string();
  return fallback;
}

std::string Json::where() const {
  std::string path;
  for (const Node* node = node_.get(); node != nullptr; node = node->parent.get()) path.insert(0, shortened(node->key));
  if (!path.empty() && path.front() == '.') path.erase(0, 1);
  return path.empty() ? *node_->origin : *node_->origin + ": " + path;
}

std::string Json::dump(int indent) const { return node_->value->dump(indent); }

struct JsonBuilder::Body {
  JsonValue value;
};

JsonBuilder::JsonBuilder() : body_(std::make_unique<Body>()) {}
JsonBuilder::JsonBuilder(const Json& copy_of) : body_(std::make_unique<Body>(Body{*copy_of.node_->value})) {}
JsonBuilder::JsonBuilder(JsonBuilder&&) noexcept = default;
JsonBuilder::JsonBuilder(const JsonBuilder& other) : body_(std::make_unique<Body>(*other.body_)) {}
JsonBuilder& JsonBuilder::operator=(JsonBuilder other) noexcept {
  body_.swap(other.body_);
  return *this;
}
JsonBuilder::~JsonBuilder() = default;
JsonBuilder::JsonBuilder(std::nullptr_t) : JsonBuilder() {}
JsonBuilder::JsonBuilder(bool value) : JsonBuilder() { body_->value.content = value; }
JsonBuilder::JsonBuilder(int value) : JsonBuilder(static_cast<std::int64_t>(value)) {}
JsonBuilder::JsonBuilder(std::int64_t value) : JsonBuilder() { body_->value.content = value; }
JsonBuilder::JsonBuilder(std::size_t value) : JsonBuilder(static_cast<std::int64_t>(value)) {}
JsonBuilder::JsonBuilder(double value) : JsonBuilder() {
  if (std::isfinite(value)) body_->value.content = value;
}
JsonBuilder::JsonBuilder(const char* value) : JsonBuilder(std::string_view(value)) {}
JsonBuilder::JsonBuilder(std::string_view value) : JsonBuilder() { body_->value.content = std::string(value); }
JsonBuilder::JsonBuilder(const std::string& value) : JsonBuilder(std::string_view(value)) {}

JsonBuilder JsonBuilder::object() {
  JsonBuilder builder;
  builder.body_->value.content = JsonValue::Object{};
  return builder;
}

JsonBuilder JsonBuilder::array() {
  JsonBuilder builder;
  builder.body_->value.content = JsonValue::Array{};
  return builder;
}

JsonBuilder& JsonBuilder::set(std::string_view key, JsonBuilder value) {
  JsonValue& self = body_->value;
  if (self.holds<std::nullptr_t>()) self.content = JsonValue::Object{};
  auto* object = std::get_if<JsonValue::Object>(&self.content);
  if (object == nullptr) throw Error(ErrorCode::invalid_argument, std::string("JsonBuilder::set on ") + self.kind());
  object->set(key, std::move(value.body_->value));
  return *this;
}

JsonBuilder& JsonBuilder::push(JsonBuilder value) {
  JsonValue& self = body_->value;
  if (self.holds<std::nullptr_t>()) self.content = JsonValue::Array{};
  auto* array = std::get_if<JsonValue::Array>(&self.content);
  if (array == nullptr) throw Error(ErrorCode::invalid_argument, std::string("JsonBuilder::push on ") + self.kind());
  array->push_back(std::move(value.body_->value));
  return *this;
}

JsonBuilder& JsonBuilder::erase(std::string_view key) {
  if (auto* object = std::get_if<JsonValue::Object>(&body_->value.content)) object->erase(key);
  return *this;
}

std::string JsonBuilder::dump(int indent) const { return body_->value.dump(indent); }

Json JsonBuilder::build(const std::string& origin) const { return Json::parse(dump(), origin); }

}  // namespace octavo
