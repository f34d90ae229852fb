// Dot products of float32 rows with int8 rows for processors with AVX2. Compilers widen bytes through memory; eight at
// a time in registers is twice as fast, and then memory is the limit.
#include "dot.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define OCTAVO_HAS_AVX2 1
#endif

namespace octavo::gemm {

#ifdef OCTAVO_HAS_AVX2

namespace {

// `rows` rows of x (k apart) with one row of w; sums in kDotLanes lanes, without fused steps, as dot.cpp adds them.
template <int rows>
__attribute__((target("avx2"))) void dots(const float* x, std::int64_t k, const std::int8_t* w, float* y,
                                          std::int64_t y_stride) {
  static_assert(kDotLanes == 4 * 8);
  __m256 sums[rows][4];
  for (auto& row : sums)
    for (__m256& lane : row) lane = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + kDotLanes <= k; i += kDotLanes)
    for (int g = 0; g < 4; ++g) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(w + i + 8 * g));
      const __m256 wide = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
      for (int r = 0; r < rows; ++r)
        sums[r][g] = _mm256_add_ps(sums[r][g], _mm256_mul_ps(_mm256_loadu_ps(x + r * k + i + 8 * g), wide));
    }
  for (int r = 0; r < rows; ++r) {
    float lanes[kDotLanes];
    for (int g = 0; g < 4; ++g) _mm256_storeu_ps(lanes + 8 * g, sums[r][g]);
    for (std::int64_t t = i; t < k; ++t) lanes[t - i] += x[r * k + t] * static_cast<float>(w[t]);
    y[r * y_stride] = sum_lanes(lanes);
  }
}

}  // namespace

bool dots_s8_avx2(const float* x, std::int64_t rows, const std::int8_t* w, std::int64_t count, std::int64_t k, float* y,
                  std::int64_t y_stride) {
  if (!__builtin_cpu_supports("avx2")) return false;
  for (std::int64_t j = 0; j < count; ++j) {
    std::int64_t r = 0;
    for (; r + 2 <= rows; r += 2) dots<2>(x + r * k, k, w + j * k, y + r * y_stride + j, y_stride);
    if (r < rows) dots<1>(x + r * k, k, w + j * k, y + r * y_stride + j, y_stride);
  }
  return true;
}

#else

bool dots_s8_avx2(const float*, std::int64_t, const std::int8_t*, std::int64_t, std::int64_t, float*, std::int64_t) {
  return false;
}

#endif

}  // namespace octavo::gemm
