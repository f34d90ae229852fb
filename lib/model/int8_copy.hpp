// A float linear in int8, made when a model is opened.
#pragma once

#include <string>

#include "octavo/gemm.hpp"

namespace octavo::model {

/// W8A16 by round to nearest with one float32 scale per channel; weight [N,K] f32|bf16|f16, without a bias. Reads it
/// once, a part at a time, and gives its pages back.
/// @throws Error  not_finite for NaN or infinity in the weight.
Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math);

}  // namespace octavo::model
