// Dot products for the few-rows case, where the weight is read once and memory is the limit.
#pragma once

#include <cstdint>

#include "octavo/tensor.hpp"

namespace octavo::gemm {

// y[r * y_stride + j] = sum_k x[r, k] * w[j, k] for `count` weight rows, r < rows <= kFewRows. x is [rows, k] f32, w
// f32, bf16, f16 or s8. A row has the same bits alone and among others.
inline constexpr std::int64_t kFewRows = 8;
void few_rows(const float* x, std::int64_t rows, const void* weight, DType dtype, std::int64_t count, std::int64_t k,
              float* y, std::int64_t y_stride);

// The order of every sum: lane i adds the terms i, i + kDotLanes, ...; then halves are added to each other. Independent
// sums, so that the order does not depend on the instruction set.
inline constexpr std::int64_t kDotLanes = 32;
inline float sum_lanes(float* lanes) {
  for (std::int64_t step = kDotLanes / 2; step > 0; step /= 2)
    for (std::int64_t j = 0; j < step; ++j) lanes[j] += lanes[j + step];
  return lanes[0];
}

// Widens `count` elements (f32, bf16, f16, s8) to float32, exactly.
void widen(const void* from, DType dtype, std::int64_t count, float* to);

}  // namespace octavo::gemm
