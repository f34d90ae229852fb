#include "dot.hpp"

#include <bit>
#include <cstring>
#include <vector>

#include "octavo/detail/clones.hpp"

namespace octavo::gemm {

namespace {

inline float as_float(float value) { return value; }
inline float as_float(std::int8_t value) { return static_cast<float>(value); }
inline float as_float(BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

template <class T>
inline float dot(const float* x, const T* w, std::int64_t k) {
  float lanes[kDotLanes] = {};
  std::int64_t i = 0;
  for (; i + kDotLanes <= k; i += kDotLanes)
    for (std::int64_t j = 0; j < kDotLanes; ++j) lanes[j] += x[i + j] * as_float(w[i + j]);
  for (std::int64_t j = 0; i < k; ++i, ++j) lanes[j] += x[i] * as_float(w[i]);
  return sum_lanes(lanes);
}

OCTAVO_CLONES void dots_f32(const float* x, std::int64_t rows, const float* w, std::int64_t count, std::int64_t k,
                            float* y, std::int64_t y_stride) {
  for (std::int64_t j = 0; j < count; ++j)
    for (std::int64_t r = 0; r < rows; ++r) y[r * y_stride + j] = dot(x + r * k, w + j * k, k);
}

OCTAVO_CLONES void dots_bf16(const float* x, std::int64_t rows, const BFloat16* w, std::int64_t count, std::int64_t k,
                             float* y, std::int64_t y_stride) {
  for (std::int64_t j = 0; j < count; ++j)
    for (std::int64_t r = 0; r < rows; ++r) y[r * y_stride + j] = dot(x + r * k, w + j * k, k);
}

OCTAVO_CLONES void dots_s8(const float* x, std::int64_t rows, const std::int8_t* w, std::int64_t count, std::int64_t k,
                           float* y, std::int64_t y_stride) {
  for (std::int64_t j = 0; j < count; ++j)
    for (std::int64_t r = 0; r < rows; ++r) y[r * y_stride + j] = dot(x + r * k, w + j * k, k);
}

OCTAVO_CLONES void widen_s8(const std::int8_t* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = as_float(from[i]);
}

OCTAVO_CLONES void widen_bf16(const BFloat16* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = as_float(from[i]);
}

}  // namespace

void few_rows(const float* x, std::int64_t rows, const void* weight, DType dtype, std::int64_t count, std::int64_t k,
              float* y, std::int64_t y_stride) {
  if (dtype == DType::f32) return dots_f32(x, rows, static_cast<const float*>(weight), count, k, y, y_stride);
  if (dtype == DType::bf16) return dots_bf16(x, rows, static_cast<const BFloat16*>(weight), count, k, y, y_stride);
  if (dtype == DType::s8) return dots_s8(x, rows, static_cast<const std::int8_t*>(weight), count, k, y, y_stride);
  std::vector<float> row(static_cast<std::size_t>(k));
  for (std::int64_t j = 0; j < count; ++j) {
    widen(static_cast<const Float16*>(weight) + j * k, dtype, k, row.data());
    dots_f32(x, rows, row.data(), 1, k, y + j, y_stride);
  }
}

void widen(const void* from, DType dtype, std::int64_t count, float* to) {
  if (dtype == DType::bf16) return widen_bf16(static_cast<const BFloat16*>(from), count, to);
  if (dtype == DType::s8) return widen_s8(static_cast<const std::int8_t*>(from), count, to);
  if (dtype == DType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  const auto* half = static_cast<const Float16*>(from);
  for (std::int64_t i = 0; i < count; ++i) to[i] = to_float(half[i]);
}

}  // namespace octavo::gemm
