// Few rows of float32 by weights in int8, in whole numbers, by AVX512-VNNI.
#include <algorithm>
#include <bit>

#include "cpu.hpp"
#include "fixed_point.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

namespace octavo::gemm {

namespace {

constexpr std::int64_t kRowsTogether = 4;  // of the weight: 16 sums, which fill half the registers

OCTAVO_TARGET inline __mmask16 mask_of(std::int64_t left) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(std::clamp<std::int64_t>(left, 0, 16))) - 1);
}

OCTAVO_TARGET float largest_of(const float* x, std::int64_t k) {
  __m512i largest = _mm512_setzero_si512();  // magnitudes are ordered as integers; NaN are above infinity
  for (std::int64_t i = 0; i < k; i += 16) {
    const __m512 values = _mm512_maskz_loadu_ps(mask_of(k - i), x + i);
    largest = _mm512_max_epu32(largest, _mm512_castps_si512(_mm512_abs_ps(values)));
  }
  return std::bit_cast<float>(_mm512_reduce_max_epu32(largest));
}

// The sums of the 16 lanes of each: [row][digit].
OCTAVO_TARGET inline __m512i sums_of(const __m512i (&sums)[kRowsTogether][kFixedDigits]) {
  __m512i rows[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512i first =
        _mm512_add_epi32(_mm512_unpacklo_epi32(sums[r][0], sums[r][1]), _mm512_unpackhi_epi32(sums[r][0], sums[r][1]));
    const __m512i second =
        _mm512_add_epi32(_mm512_unpacklo_epi32(sums[r][2], sums[r][3]), _mm512_unpackhi_epi32(sums[r][2], sums[r][3]));
    rows[r] = _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
  }
  const __m512i low =
      _mm512_add_epi32(_mm512_shuffle_i32x4(rows[0], rows[1], 0x44), _mm512_shuffle_i32x4(rows[0], rows[1], 0xee));
  const __m512i high =
      _mm512_add_epi32(_mm512_shuffle_i32x4(rows[2], rows[3], 0x44), _mm512_shuffle_i32x4(rows[2], rows[3], 0xee));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, 0x88), _mm512_shuffle_i32x4(low, high, 0xdd));
}

// `count` <= 4 rows of the weight, `apart` rows from each other; those that are missing repeat the last.
//
// vpdpbusd multiplies unsigned by signed: the weights are offset by 128, which `start` takes out again. Not the
// intrinsic: GCC 12 copies the sums back and forth around it. They stay in registers as long as nothing but unrolled
// loops of this function names them.
OCTAVO_TARGET void four_rows(const FixedRow& x, const std::int8_t* weight, std::int64_t k, std::int64_t apart,
                             std::int64_t count, float* y) {
  const std::int8_t* w[kRowsTogether];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r) w[r] = weight + (r < count ? r : count - 1) * apart * k;
  __m512i sums[kRowsTogether][kFixedDigits];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r)
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) sums[r][d] = _mm512_setzero_si512();
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const std::int8_t* digits = x.digits;
  for (std::int64_t i = 0; i < k; i += kFixedLine, digits += kFixedStep) {
    const __mmask64 mask = k - i >= kFixedLine ? ~0ULL : (1ULL << static_cast<unsigned>(k - i)) - 1;
    __m512i weights[kRowsTogether];
#pragma GCC unroll 4
    for (int r = 0; r < kRowsTogether; ++r) {
      _mm_prefetch(reinterpret_cast<const char*>(w[r] + i + kFixedAhead), _MM_HINT_T1);
      weights[r] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, w[r] + i), flip);
    }
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) {
      const __m512i digit = _mm512_load_si512(digits + d * kFixedLine);
#pragma GCC unroll 4
      for (int r = 0; r < kRowsTogether; ++r)
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sums[r][d]) : "v"(weights[r]), "v"(digit));
    }
  }
  __m512i complete[kRowsTogether][kFixedDigits];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r)
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) complete[r][d] = sums[r][d];
  const __m512i start = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x.start)));
  alignas(64) std::int32_t of_digits[kRowsTogether][kFixedDigits];
  _mm512_store_si512(of_digits, _mm512_add_epi32(sums_of(complete), start));
  for (std::int64_t r = 0; r < count; ++r) y[r * apart] = join_digits(of_digits[r], x.step);
}

OCTAVO_TARGET FixedRow fix_row(const float* x, std::int64_t k, std::int8_t* digits, std::int64_t apart) {
  float power = 0;
  FixedRow row = fixed_row_of(largest_of(x, k), digits, power);
  if (row.step == 0) return row;
  const __m512 inverse = _mm512_set1_ps(power);
  const __m512i half = _mm512_set1_epi32(128);
  __m512i totals[kFixedDigits];
  for (__m512i& total : totals) total = _mm512_setzero_si512();
  for (std::int64_t i = 0; i < fixed_row_bytes(k) / kFixedDigits; i += 16) {
    const __m512 values = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask_of(k - i), x + i), inverse);
    __m512i rest = _mm512_cvt_roundps_epi32(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    std::int8_t* to = digits + i / kFixedLine * apart + i % kFixedLine;
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) {  // the lowest byte is a digit in [-128, 127]; what is left is a multiple
      const __m128i digit = _mm512_cvtepi32_epi8(rest);
      _mm_store_si128(reinterpret_cast<__m128i*>(to + d * kFixedLine), digit);
      totals[d] = _mm512_add_epi32(totals[d], _mm512_cvtepi8_epi32(digit));
      rest = _mm512_srai_epi32(_mm512_add_epi32(rest, half), 8);
    }
  }
  for (std::int64_t d = 0; d < kFixedDigits; ++d) row.start[d] = -128 * _mm512_reduce_add_epi32(totals[d]);
  return row;
}

}  // namespace

OCTAVO_TARGET void join_digits_avx512(const std::int32_t* sums, const FixedRow& row, bool offset, std::int64_t columns,
                                      float* to) {
  const __m256 step = _mm256_set1_ps(row.step);
  __m256i start[kFixedDigits];
  for (std::int64_t d = 0; d < kFixedDigits; ++d) start[d] = _mm256_set1_epi32(offset ? row.start[d] : 0);
  for (std::int64_t j = 0; j < columns; j += 8) {
    __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (std::int64_t d = kFixedDigits - 1; d >= 0; --d) {
      const __m256i digit = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + d * columns + j));
      sum = _mm512_add_epi64(_mm512_slli_epi64(sum, 8), _mm512_cvtepi32_epi64(_mm256_add_epi32(digit, start[d])));
    }
    _mm256_storeu_ps(to + j, _mm256_mul_ps(_mm512_cvtepi64_ps(sum), step));
  }
}

const FixedKernel kFixedAvx512Vnni{fix_row, four_rows, kRowsTogether};

}  // namespace octavo::gemm
#else
namespace octavo::gemm {
const FixedKernel kFixedAvx512Vnni{};
void join_digits_avx512(const std::int32_t*, const FixedRow&, bool, std::int64_t, float*) {}
}  // namespace octavo::gemm
#endif
