#include "finite.hpp"

#include <optional>

namespace octavo::model {

void require_finite(const Tensor& x, std::string_view module_path, std::string_view what) {
  if (first_not_finite(x))
    throw Error(ErrorCode::not_finite, std::string(module_path) + ": " + std::string(what) + " is NaN or infinite");
}

void FirstNotFinite::on_operation(const ObservedOperation& operation) {
  if (next_ != nullptr) next_->on_operation(operation);
  for (const ObservedValue& output : operation.outputs) {
    const std::optional<std::int64_t> at = first_not_finite(*output.tensor);
    if (!at) continue;
    throw Error(ErrorCode::not_finite,
                std::string(operation.module_path) + " (" + std::string(operation.operation) +
                    "): " + std::string(output.name) + output.shape.indices(*at) +
                    " is NaN or infinite, and this is the first module of which an output is: its weights or its "
                    "input hold NaN or infinity, or its sums overflow float32");
  }
}

void FirstNotFinite::on_call(std::string_view phase) {
  if (next_ != nullptr) next_->on_call(phase);
}
std::string FirstNotFinite::recent() const { return next_ != nullptr ? next_->recent() : std::string(); }
bool FirstNotFinite::on_problem(const Error& broken) { return next_ != nullptr && next_->on_problem(broken); }
void FirstNotFinite::on_note(std::string_view note) {
  if (next_ != nullptr) next_->on_note(note);
}
void FirstNotFinite::on_sequence(std::int64_t index) {
  if (next_ != nullptr) next_->on_sequence(index);
}

}  // namespace octavo::model
