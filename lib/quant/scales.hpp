/// Channel scales, and what one weight becomes under them.
#pragma once

#include <cstdint>
#include <vector>

#include "octavo/quant.hpp"

namespace octavo::quant {

/// round_half_even(clamp(w / scale, -128, 127)), still as a float; a NaN gives -128.
/// Adding and taking away 1.5 * 2^23 rounds to even without a call, so that loops over it vectorise everywhere.
inline float quantize_value(float w, float scale) noexcept {
  constexpr float kRound = 12582912.0F;
  const float x = w / scale;
  const float low = x > -128.0F ? x : -128.0F;
  const float clamped = low < 127.0F ? low : 127.0F;
  return (clamped + kRound) - kRound;
}

/// One scale per row of w[rows,columns], rounded to `dtype`, at least float32 epsilon (2^-23, which f16 holds). Where
/// f16 has few bits left, below 2^-14, it is rounded up, so that the row's largest weight is not clipped. Errors count
/// rows from `first_row` on.
/// @throws Error  invalid_argument for a scale that `dtype` cannot hold.
std::vector<float> channel_scales(const float* w, std::int64_t rows, std::int64_t columns, ScaleObserver observer,
                                  DType dtype, const std::string& who, std::int64_t first_row = 0);

/// q[rows,columns] by round-to-nearest.
void round_to_nearest(const float* w, std::int64_t rows, std::int64_t columns, const std::vector<float>& scales,
                      std::int8_t* q);

/// difference = w - q * scale.
void subtract_dequantized(const float* w, std::int64_t rows, std::int64_t columns, const std::vector<float>& scales,
                          const std::int8_t* q, float* difference);

}  // namespace octavo::quant
