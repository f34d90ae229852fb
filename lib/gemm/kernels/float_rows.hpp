// Rows of float32 as sums of bf16, as tiles read them.
#pragma once

#include <cstdint>

namespace octavo::gemm {

// What a row of float32 becomes before it is multiplied.
//   f32         itself
//   one_bf16    rounded: off by at most 2^-8 |x|
//   three_bf16  cut into 8 + 8 + 8 bits of significand, which leaves no rest
enum class RowForm : std::uint8_t { f32, one_bf16, three_bf16 };

inline constexpr std::int64_t kBf16Line = 32;  // bf16 of a row in a step

// `rows` rows, row_stride values apart, `count` values of each: to [step][part][row][kBf16Line], the last line filled
// up with zeros. Not of RowForm::f32. AVX512BW.
void lines_of_floats(RowForm form, const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count,
                     std::uint16_t* to);

}  // namespace octavo::gemm
