// A float linear in int8, made when a model is opened.
#pragma once

#include <string>
#include <vector>

#include "octavo/gemm.hpp"

namespace octavo::model {

/// What the copy is off by: of each row, |w - scale q| and |w|, rounded up.
struct RowErrors {
  std::vector<float>* errors = nullptr;   ///< [N]; null: not asked for
  std::vector<float>* lengths = nullptr;  ///< [N]
};

/// W8A16 by round to nearest with one float32 scale per channel; weight [N,K] f32|bf16|f16, without a bias. Reads it
/// once, a part at a time, and gives its pages back.
/// @throws Error  not_finite for NaN or infinity in the weight.
Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math, RowErrors errors = {});

}  // namespace octavo::model
