// Tensors to measure with: the same every time.
#pragma once

#include <octavo/tensor.hpp>

namespace cli {

octavo::Tensor noise(const octavo::Shape& shape, std::uint32_t seed);  // f32, uniform in [-1, 1)
octavo::Tensor noise_s8(std::int64_t rows, std::int64_t columns);      // s8
octavo::Tensor scales(std::int64_t rows);                              // f32 [rows], positive

}  // namespace cli
