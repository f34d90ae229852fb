// Python's operators on the values of a template.
#include <algorithm>
#include <cstdint>

#include "evaluate.hpp"
#include "octavo/error.hpp"

namespace octavo::text::jinja {
namespace {

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::invalid_argument, what); }
[[noreturn]] void missing(const std::string& what) { throw Error(ErrorCode::unsupported, what); }

Value ordered(const std::string& name, int order) {
  if (name == "<") return Value::of(order < 0);
  if (name == "<=") return Value::of(order <= 0);
  return Value::of(name == ">" ? order > 0 : order >= 0);
}

Value arithmetic(const std::string& name, double a, double b) {
  // Counters and indices; what is larger has no place in a prompt.
  constexpr double kExact = 1e9;
  if (a < -kExact || a > kExact || b < -kExact || b > kExact) missing("arithmetic beyond 10^9");
  const auto x = static_cast<std::int64_t>(a);
  const auto y = static_cast<std::int64_t>(b);
  if (name == "+") return Value::of(x + y);
  if (name == "-") return Value::of(x - y);
  if (name == "*") return Value::of(x * y);
  if (name == "%" || name == "//") {
    if (y == 0) fail("division by zero");
    const std::int64_t remainder = ((x % y) + y) % y;  // Python's has the sign of the divisor
    return Value::of(name == "%" ? remainder : (x - remainder) / y);
  }
  missing("'" + name + "' is not among what Octavo has of Jinja");
}

bool contains(const Value& container, const Value& item) {
  switch (container.kind) {
    case Value::Kind::undefined:
      return false;
    case Value::Kind::text:
      if (item.kind != Value::Kind::text)
        fail(std::string("'in <string>' requires string as left operand, not ") + type_name(item));
      return container.text.bytes.find(item.text.bytes) != std::string::npos;
    case Value::Kind::list:
      return std::any_of(container.list->begin(), container.list->end(),
                         [&](const Value& value) { return equal(value, item); });
    case Value::Kind::dict:
      if (item.kind == Value::Kind::list || item.kind == Value::Kind::dict)
        fail(std::string("unhashable type: '") + type_name(item) + "'");
      if (!container.is_namespace) return item.kind == Value::Kind::text && container.find(item.text.bytes) != nullptr;
      break;
    default:
      break;
  }
  fail(std::string("argument of type '") + type_name(container) + "' is not iterable");
}

}  // namespace

Value apply_operator(const std::string& name, Value left, const Value& right) {
  if (name == "==") return Value::of(equal(left, right));
  if (name == "!=") return Value::of(!equal(left, right));
  if (name == "in") return Value::of(contains(right, left));
  if (name == "not in") return Value::of(!contains(right, left));
  if (name == "~") {
    Text text = printed(left);
    text.append(printed(right));
    return Value::of(std::move(text));
  }
  if (left.kind == Value::Kind::undefined) fail("'" + left.text.bytes + "' is undefined");
  const auto is_sequence = [](const Value& v) { return v.kind == Value::Kind::text || v.kind == Value::Kind::list; };
  if ((name == "%" && left.kind == Value::Kind::text) || (name == "*" && (is_sequence(left) || is_sequence(right))))
    missing("'" + name + "' of a text or a list is not among what Octavo has of Jinja");
  if (right.kind == Value::Kind::undefined) fail("'" + right.text.bytes + "' is undefined");
  const bool comparison = name[0] == '<' || name[0] == '>';
  if (left.kind == Value::Kind::text && right.kind == Value::Kind::text) {
    if (comparison) return ordered(name, left.text.bytes.compare(right.text.bytes));
    if (name == "+") {
      left.text.append(right.text);
      return left;
    }
  }
  if (name == "+" && left.kind == Value::Kind::list && right.kind == Value::Kind::list) {
    List both = *left.list;
    both.insert(both.end(), right.list->begin(), right.list->end());
    return Value::of(std::move(both));
  }
  if (comparison && left.kind == Value::Kind::list && right.kind == Value::Kind::list)
    missing("the order of lists is not among what Octavo has of Jinja");
  if (left.is_number() && right.is_number()) {
    const double a = left.as_number();
    const double b = right.as_number();
    return comparison ? ordered(name, a < b ? -1 : a > b ? 1 : 0) : arithmetic(name, a, b);
  }
  fail(std::string("unsupported operand type(s) for ") + name + ": '" + type_name(left) + "' and '" + type_name(right) +
       "'");
}

}  // namespace octavo::text::jinja
