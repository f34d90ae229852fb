// Rows as KvCache stores them.
#pragma once

#include <cstdint>

#include "octavo/tensor.hpp"

namespace octavo::attention_kernels {

// Rounded to nearest, ties to even.
void row_to_bf16(const float* row, std::int64_t count, BFloat16* to);

// Symmetric, by the largest magnitude; returns the scale. A row with NaN or infinity gets the scale NaN, so that it
// reads back as NaN.
float row_to_s8(const float* row, std::int64_t count, std::int8_t* to);

}  // namespace octavo::attention_kernels
