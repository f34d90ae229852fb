// The inside of OutputForm, shared by its makers and FormState.
#pragma once

#include <cstddef>
#include <memory>

#include "grammar.hpp"
#include "octavo/output_form.hpp"

namespace octavo {

struct OutputForm::Impl {
  std::shared_ptr<const output_form::Grammar> grammar;
};

}  // namespace octavo
