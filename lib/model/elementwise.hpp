// Loops over plain floats for ops.cpp, one clone per instruction set, picked when the program loads.
#pragma once

#include <cstdint>

namespace octavo::model {

/// gate[i] = silu(gate[i]) * up[i], silu within 4 ulp down to -87.33, and 0 below, where it is above -1.1e-36.
/// NaN gives NaN.
void silu_multiply(float* gate, const float* up, std::int64_t count);

}  // namespace octavo::model
