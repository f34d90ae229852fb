// One row of float32 to int8 with one scale.
#pragma once

#include <cstdint>

namespace octavo::gemm {

// scale = max(absmax / divisor, float32's epsilon), q = x / scale rounded half to even within [-128, 127]. False, with
// nothing promised about the results, when x holds NaN or infinity. The same bits on every processor. The row is
// written in lines of 64 bytes, line_stride apart: 64 for a row as it is.
using QuantizeRow = bool (*)(const float* x, std::int64_t k, float divisor, std::int8_t* q, std::int64_t line_stride,
                             float* scale);

bool quantize_row_portable(const float* x, std::int64_t k, float divisor, std::int8_t* q, std::int64_t line_stride,
                           float* scale);
bool quantize_row_avx512(const float* x, std::int64_t k, float divisor, std::int8_t* q, std::int64_t line_stride,
                         float* scale);

// The fastest that runs here.
QuantizeRow quantize_row() noexcept;

}  // namespace octavo::gemm
