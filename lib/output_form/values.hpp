// JSON values of a form, as schemas and templates describe them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "octavo/json.hpp"
#include "regular.hpp"

namespace octavo::output_form {

using ValueId = std::uint32_t;

struct AnyValue {};
struct LiteralValue {
  Json value;
};
constexpr std::int64_t kLargestInteger = 999'999'999'999'999'999;  // 18 digits, which every JSON parser's int64 holds
struct IntegerValue {
  std::int64_t least = -kLargestInteger, most = kLargestInteger;
};
struct NumberBound {
  double value;
  bool exclusive = false;
};
struct NumberValue {
  std::optional<NumberBound> least, most;
};
struct StringValue {
  std::uint64_t least = 0;  // characters
  std::optional<std::uint64_t> most;
  std::optional<Regular> pattern;  // of the whole string, without lengths beside it
};
struct ArrayValue {
  std::vector<ValueId> first;
  std::optional<ValueId> rest;  // each element behind those; absent: none
  std::uint64_t least = 0;
  std::optional<std::uint64_t> most;
};
struct Member {
  std::string key;
  ValueId value;
  bool required;
};
struct ObjectValue {
  std::vector<Member> members;
  std::optional<ValueId> rest;  // of members with other keys; absent: none
};
struct OneOf {
  std::vector<ValueId> values;  // none: no text
};
using Value =
    std::variant<AnyValue, LiteralValue, IntegerValue, NumberValue, StringValue, ArrayValue, ObjectValue, OneOf>;

/// Values refer to each other by index, also in circles; the first is the whole text's.
using Values = std::vector<Value>;

/// @throws Error  invalid_argument where a value is a choice of itself without anything around it.
void refuse_empty_circles(const Values& values);

}  // namespace octavo::output_form
