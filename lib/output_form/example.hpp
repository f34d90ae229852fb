// Templates such as {"bbox_2d": [int, int, int, int]} as values of a form.
#pragma once

#include <string_view>

#include "values.hpp"

namespace octavo::output_form {

Values read_example(std::string_view text);

}  // namespace octavo::output_form
