// JSON values as a grammar over bytes.
#pragma once

#include "grammar.hpp"
#include "octavo/output_form.hpp"
#include "values.hpp"

namespace octavo::output_form {

Grammar json_grammar(const Values& values, const FormOptions& options);

}  // namespace octavo::output_form
