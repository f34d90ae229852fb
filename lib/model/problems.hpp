// What headers alone show of a checkpoint's tensors.
#pragma once

#include <vector>

#include "octavo/model.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// Missing, misshapen, mistyped and unexpected tensors: each keeps the model from opening.
std::vector<CheckProblem> tensor_problems(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected);

/// Which head is used, where the file and the tensors leave room for doubt.
void head_notes(const Checkpoint& checkpoint, std::vector<CheckProblem>& problems);

}  // namespace octavo::model
