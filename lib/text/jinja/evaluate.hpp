// Runs a parsed template.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "syntax.hpp"

namespace octavo::text::jinja {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;  // of a text, and of the prompt

/// @throws Error  invalid_argument for what the template itself refuses (raise_exception) or what Python would;
///                unsupported for Jinja that Octavo does not have; both name the line.
Text render(const Block& block, Dict variables);

/// What follows names no line. The first of `arguments` is the object.
Value apply_filter(const std::string& name, const std::vector<Value>& arguments);
Value call_method(const std::string& name, const std::vector<Value>& arguments);
/// Any but "and" and "or", which do not always look at both sides.
Value apply_operator(const std::string& name, Value left, const Value& right);
bool apply_test(const std::string& name, const Value& value);

}  // namespace octavo::text::jinja
