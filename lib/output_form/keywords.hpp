// The keywords of JSON Schema: which are honoured, and of which type they speak.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"

namespace octavo::output_form {

/// Keywords of `schema` that constrain a text, annotations left out.
/// @throws Error  unsupported naming a keyword that is not honoured.
std::vector<std::string> constraints_of(const Json& schema);

/// "null", "boolean", "object", "array", "number", "string" or "integer".
std::string type_of(const Json& value);

/// What `type` says, one or more.
std::vector<std::string> stated_types(const Json& schema);
/// The same; without `type`, the types that the constraints speak of, else all.
std::vector<std::string> types_of(const Json& schema, const std::vector<std::string>& constraints);

}  // namespace octavo::output_form
