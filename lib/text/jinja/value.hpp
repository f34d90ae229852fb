// What expressions of a template work on: Python's plain values, and text that knows which of its bytes a user wrote.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/text.hpp"

namespace octavo::text::jinja {

/// Bytes, and the ranges among them that came from outside the template.
struct Text {
  std::string bytes;
  std::vector<TextRange> user;

  static Text of_user(std::string text);
  void append(const Text& other);
  Text substr(std::size_t begin, std::size_t end) const;
};

struct Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<std::string, Value>>;  // in the order of insertion

struct Value {
  enum class Kind : std::uint8_t { undefined, none, boolean, integer, number, text, list, dict };

  Kind kind = Kind::undefined;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  Text text;  // of undefined: its name
  std::shared_ptr<List> list;
  std::shared_ptr<Dict> dict;
  bool is_namespace = false;  // a dict whose members {% set %} may change

  static Value undefined(std::string name);
  static Value none();
  static Value of(bool value);
  static Value of(std::int64_t value);
  static Value of(double value);
  static Value of(Text value);
  static Value of(std::string value);
  static Value of(List value);
  static Value of(Dict value);

  bool is_number() const { return kind == Kind::integer || kind == Kind::number || kind == Kind::boolean; }
  double as_number() const;
  bool truthy() const;
  const Value* find(std::string_view key) const;  // of a dict; null when it is not there
};

const char* type_name(const Value& value);  // as Python's errors call it
bool equal(const Value& a, const Value& b);
Text printed(const Value& value);  // as {{ value }}

}  // namespace octavo::text::jinja
