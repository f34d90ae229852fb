// JSON Schema as values of a form.
#pragma once

#include <string_view>

#include "values.hpp"

namespace octavo::output_form {

Values read_schema(std::string_view schema);

}  // namespace octavo::output_form
