// JSON pointers (RFC 6901), as `$ref` writes them behind its `#`.
#pragma once

#include <string>

#include "octavo/json.hpp"

namespace octavo::output_form {

/// @throws Error  not_found where nothing is there.
Json at_pointer(const Json& document, const std::string& pointer);

}  // namespace octavo::output_form
