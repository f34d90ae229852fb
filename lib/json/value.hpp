// The document tree: keys keep their order, look-ups in large objects are by binary search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace octavo {

struct JsonValue {
  struct Object;
  using Array = std::vector<JsonValue>;

  struct Object {
    std::vector<std::pair<std::string, JsonValue>> members;
    std::vector<std::uint32_t> by_key;  // positions sorted by key; made by `index`, empty for small objects

    // Sorts large objects for look-up. Returns the first key that appears twice, or null.
    const std::string* index();
    void set(std::string_view key, JsonValue value);
    void erase(std::string_view key);
  };

  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> content = nullptr;

  template <class T>
  bool holds() const noexcept {
    return std::holds_alternative<T>(content);
  }
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&content);
  }
  std::size_t size() const noexcept;
  const JsonValue* find(std::string_view key) const noexcept;  // null unless an object that has it
  const char* kind() const noexcept;                           // "an object", "a number", ...
  std::string dump(int indent) const;                          // compact when negative
};

// Strict JSON. Throws format, naming origin, for duplicate keys, depth beyond 200 and syntax errors with their byte.
JsonValue parse_json(std::string_view text, const std::string& origin);

}  // namespace octavo
