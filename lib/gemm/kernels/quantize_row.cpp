#include "quantize_row.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "cpu.hpp"
#include "octavo/detail/clones.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

namespace {

constexpr std::int64_t kLine = 64;

constexpr std::uint32_t kMagnitude = 0x7fffffffU;  // all but the sign; as integers, magnitudes are ordered
constexpr std::uint32_t kInfinity = 0x7f800000U;   // and above it are the NaN

float scale_of(std::uint32_t largest, float divisor) {
  return std::max(std::bit_cast<float>(largest) / divisor, std::numeric_limits<float>::epsilon());
}

// As the reference rounds. Adding 1.5 * 2^23 pushes the fraction out of the significand; |x| stays below 128 here.
// Unlike nearbyintf, a call without SSE4.1, this becomes two vector instructions.
inline float half_to_even(float x) {
  constexpr float kPush = 12582912.0F;
  return (x + kPush) - kPush;
}

}  // namespace

OCTAVO_CLONES bool quantize_row_portable(const float* x, std::int64_t k, float divisor, std::int8_t* q,
                                         std::int64_t line_stride, float* scale) {
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < k; ++i) largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & kMagnitude);
  if (largest >= kInfinity) return false;
  const float step = scale_of(largest, divisor);
  *scale = step;
  const auto quantize = [step](const float* from, std::int64_t count, std::int8_t* to) {
    for (std::int64_t i = 0; i < count; ++i)
      to[i] = static_cast<std::int8_t>(std::clamp(half_to_even(from[i] / step), -128.0F, 127.0F));
  };
  if (line_stride == kLine) {
    quantize(x, k, q);
    return true;
  }
  for (std::int64_t i = 0; i < k; i += kLine, q += line_stride) quantize(x + i, std::min(kLine, k - i), q);
  return true;
}

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

// 64 values in a line of bytes. Dividing is slow: x * (1 / scale) is within 2^-14 of x / scale (128 * 3 roundings of
// 2^-24), so it rounds to the same integer unless it lies that close to a half; only then are the quotients themselves
// taken. Numbers of at most 128 are rounded, ties to even, by adding 1.5 * 2^23.
OCTAVO_TARGET inline __m512i quantize_line(const __m512* x, __m512 scale, __m512 inverse) {
  const __m512 push = _mm512_set1_ps(12582912.0F);
  __m512 whole[4];
  __m512 furthest = _mm512_setzero_ps();
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 near = _mm512_mul_ps(x[j], inverse);
    whole[j] = _mm512_add_ps(near, push);
    furthest = _mm512_max_ps(furthest, _mm512_abs_ps(_mm512_sub_ps(near, _mm512_sub_ps(whole[j], push))));
  }
  const __m512 sure = _mm512_set1_ps(0.5F - 1.0F / 16384);
  if (__builtin_expect(_mm512_cmp_ps_mask(furthest, sure, _CMP_GT_OQ) != 0, 0))
    for (int j = 0; j < 4; ++j) whole[j] = _mm512_add_ps(_mm512_div_ps(x[j], scale), push);
  __m512i q[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) q[j] = _mm512_sub_epi32(_mm512_castps_si512(whole[j]), _mm512_castps_si512(push));
  // Packing takes quarters of the registers in turn, and saturates: 127.5 becomes 127.
  const __m512i words = _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), words);
}

}  // namespace

OCTAVO_TARGET bool quantize_row_avx512(const float* x, std::int64_t k, float divisor, std::int8_t* q,
                                       std::int64_t line_stride, float* scale) {
  const __m512i magnitude = _mm512_set1_epi32(static_cast<int>(kMagnitude));
  const auto load = [&](std::int64_t i) __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) {
    const std::int64_t left = std::min<std::int64_t>(16, k - i);
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << static_cast<unsigned>(left)) - 1), x + i);
  };
  __m512i largest[4];
  for (__m512i& lane : largest) lane = _mm512_setzero_si512();
  std::int64_t i = 0;
  for (; i + 64 <= k; i += 64)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      largest[j] = _mm512_max_epu32(largest[j], _mm512_and_si512(_mm512_loadu_si512(x + i + 16 * j), magnitude));
  for (; i < k; i += 16)
    largest[0] = _mm512_max_epu32(largest[0], _mm512_and_si512(_mm512_castps_si512(load(i)), magnitude));
  const std::uint32_t found = _mm512_reduce_max_epu32(
      _mm512_max_epu32(_mm512_max_epu32(largest[0], largest[1]), _mm512_max_epu32(largest[2], largest[3])));
  if (found >= kInfinity) return false;
  *scale = scale_of(found, divisor);
  const __m512 step = _mm512_set1_ps(*scale);
  const __m512 inverse = _mm512_set1_ps(1.0F / *scale);
  const bool small = k <= 4096;  // then the next row fits the first cache, too
  for (i = 0; i < k; i += kLine, q += line_stride) {
    __m512 values[4];
    if (i + kLine <= k) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        // Rows follow each other, but processors foresee no further than a page.
        if (small)
          _mm_prefetch(x + k + i + 16 * j, _MM_HINT_T0);
        else
          _mm_prefetch(x + k + i + 16 * j, _MM_HINT_T1);
        values[j] = _mm512_loadu_ps(x + i + 16 * j);
      }
      _mm512_storeu_si512(q, quantize_line(values, step, inverse));
      continue;
    }
    for (int j = 0; j < 4; ++j) values[j] = i + 16 * j < k ? load(i + 16 * j) : _mm512_setzero_ps();
    _mm512_mask_storeu_epi8(q, (1ULL << static_cast<unsigned>(k - i)) - 1, quantize_line(values, step, inverse));
  }
  return true;
}

QuantizeRow quantize_row() noexcept {
  static const QuantizeRow chosen = has_avx512() ? quantize_row_avx512 : quantize_row_portable;
  return chosen;
}

#else

bool quantize_row_avx512(const float* x, std::int64_t k, float divisor, std::int8_t* q, std::int64_t line_stride,
                         float* scale) {
  return quantize_row_portable(x, k, divisor, q, line_stride, scale);
}

QuantizeRow quantize_row() noexcept { return quantize_row_portable; }

#endif

}  // namespace octavo::gemm
