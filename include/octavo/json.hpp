/// @file
/// JSON as the rest of Octavo sees it: values that know which file and key they came from, so that
/// every complaint names both. The parser behind it stays in lib/json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/error.hpp"

namespace octavo {

/// An immutable node of a parsed document; cheap to copy, keeps the document alive.
/// Objects keep the order of their keys. Duplicate keys are refused while parsing.
class Json {
 public:
  Json();  ///< null
  /// `origin` is how errors name the document, usually the path. Depth is limited to 200.
  static Json parse(std::string_view text, const std::string& origin);
  static constexpr std::size_t kMostBytes = std::size_t{256} << 20;  ///< of a file, unless the caller says otherwise
  static Json read_file(const std::string& path, std::size_t max_bytes = kMostBytes);

  bool is_null() const noexcept;
  bool is_object() const noexcept;
  bool is_array() const noexcept;
  bool is_string() const noexcept;
  bool is_number() const noexcept;
  bool is_integer() const noexcept;
  bool is_bool() const noexcept;

  std::size_t size() const noexcept;                     ///< members or elements; 0 for scalars
  std::optional<Json> find(std::string_view key) const;  ///< absent on scalars, too
  Json at(std::string_view key) const;                   ///< throws not_found naming file and key path
  Json at(std::size_t index) const;
  void for_each_member(const std::function<void(std::string_view key, const Json& value)>& visit) const;

  // Throw format with file and key path when the node is of another kind.
  std::int64_t as_int() const;  ///< accepts 3.0, refuses 3.5 and overflow
  double as_number() const;
  bool as_bool() const;
  const std::string& as_string() const;

  // With a fallback for a missing or null member.
  std::int64_t get_int(std::string_view key, std::int64_t fallback) const;
  double get_number(std::string_view key, double fallback) const;
  bool get_bool(std::string_view key, bool fallback) const;
  std::string get_string(std::string_view key, std::string fallback) const;

  /// "config.json: text_config.rope_scaling"
  std::string where() const;
  std::string dump(int indent = -1) const;

 private:
  friend class JsonBuilder;
  struct Node;
  std::shared_ptr<const Node> node_;
};

/// A document under construction. Keys keep insertion order.
class JsonBuilder {
 public:
  JsonBuilder();  ///< null
  explicit JsonBuilder(const Json& copy_of);
  JsonBuilder(JsonBuilder&&) noexcept;
  JsonBuilder(const JsonBuilder&);
  JsonBuilder& operator=(JsonBuilder) noexcept;
  ~JsonBuilder();
  JsonBuilder(std::nullptr_t);
  JsonBuilder(bool value);
  JsonBuilder(int value);
  JsonBuilder(std::int64_t value);
  JsonBuilder(std::size_t value);
  JsonBuilder(double value);  ///< NaN and infinities become null
  JsonBuilder(const char* value);
  JsonBuilder(std::string_view value);
  JsonBuilder(const std::string& value);
  static JsonBuilder object();
  static JsonBuilder array();
  /// An array of a range's elements, each of a type that a JsonBuilder is made from.
  template <class Range>
  static JsonBuilder array_of(const Range& values) {
    JsonBuilder list = array();
    for (const auto& value : values) list.push(value);
    return list;
  }
  JsonBuilder& set(std::string_view key, JsonBuilder value);  ///< on an object (or null, which becomes one)
  JsonBuilder& push(JsonBuilder value);                       ///< on an array (or null)
  JsonBuilder& erase(std::string_view key);
  std::string dump(int indent = -1) const;  ///< invalid UTF-8 is replaced by U+FFFD
  Json build(const std::string& origin = "built") const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace octavo
