// Rows of float32 as sums of bf16, as tiles read them. AVX512BW.
#pragma once

#include <cstdint>

namespace octavo::gemm {

inline constexpr std::int64_t kBf16Line = 32;  // bf16 of a row in a step

// `rows` rows, row_stride values apart, `count` values of each: to [step][row][kBf16Line], the last line filled up with
// zeros.
void lines_of_bf16(const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count, std::uint16_t* to);

// The same as the sum of three: to [step][part][row][kBf16Line].
void lines_of_three_bf16(const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count,
                         std::uint16_t* to);

}  // namespace octavo::gemm
