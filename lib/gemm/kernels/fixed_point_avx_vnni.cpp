// Few rows of float32 by weights in int8, in whole numbers, by AVX-VNNI: the sums of fixed_point_avx512.cpp, eight
// lanes at a time.
#include <cstring>

#include "cpu.hpp"
#include "fixed_point.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#define OCTAVO_TARGET __attribute__((target("avx2")))

namespace octavo::gemm {

namespace {

constexpr std::int64_t kRowsTogether = 2;  // of the weight: 8 sums, beside two weights and a digit
constexpr std::int64_t kHalf = kFixedLine / 2;

OCTAVO_TARGET inline __m256i load(const std::int8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

// sums[row][digit] += half a line of the weights, at w[row], by that of the digits.
OCTAVO_TARGET inline void add_half(__m256i (&sums)[kRowsTogether][kFixedDigits],
                                   const std::int8_t* const (&w)[kRowsTogether], const std::int8_t* digits) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i weights[kRowsTogether];
#pragma GCC unroll 2
  for (int r = 0; r < kRowsTogether; ++r) weights[r] = _mm256_xor_si256(load(w[r]), flip);
#pragma GCC unroll 4
  for (int d = 0; d < kFixedDigits; ++d) {
    const __m256i digit = load(digits + d * kFixedLine);
    // In VEX encoding, which assemblers take only when told: the other one is AVX-512's.
#pragma GCC unroll 2
    for (int r = 0; r < kRowsTogether; ++r)
      __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums[r][d]) : "x"(weights[r]), "x"(digit));
  }
}

// `count` <= 2 rows of the weight, `apart` rows from each other; one that is missing repeats the other.
OCTAVO_TARGET void two_rows(const FixedRow& x, const std::int8_t* weight, std::int64_t k, std::int64_t apart,
                            std::int64_t count, float* y) {
  const std::int8_t* w[kRowsTogether] = {weight, weight + (count > 1 ? apart * k : 0)};
  __m256i sums[kRowsTogether][kFixedDigits];
#pragma GCC unroll 2
  for (int r = 0; r < kRowsTogether; ++r)
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) sums[r][d] = _mm256_setzero_si256();
  const std::int8_t* digits = x.digits;
  std::int64_t i = 0;
  for (; i + kFixedLine <= k; i += kFixedLine, digits += kFixedStep) {
#pragma GCC unroll 2
    for (int r = 0; r < kRowsTogether; ++r)
      _mm_prefetch(reinterpret_cast<const char*>(w[r] + kFixedAhead), _MM_HINT_T1);
    add_half(sums, w, digits);
#pragma GCC unroll 2
    for (int r = 0; r < kRowsTogether; ++r) w[r] += kHalf;
    add_half(sums, w, digits + kHalf);
#pragma GCC unroll 2
    for (int r = 0; r < kRowsTogether; ++r) w[r] += kHalf;
  }
  if (i < k) {
    std::int8_t rest[kRowsTogether][kFixedLine] = {};
    for (int r = 0; r < kRowsTogether; ++r) std::memcpy(rest[r], w[r], static_cast<std::size_t>(k - i));
    for (const std::int64_t half : {std::int64_t{0}, kHalf}) {
      const std::int8_t* const halves[kRowsTogether] = {rest[0] + half, rest[1] + half};
      add_half(sums, halves, digits + half);
    }
  }
  const __m128i start = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x.start));
#pragma GCC unroll 2
  for (int r = 0; r < kRowsTogether; ++r) {
    const __m256i pairs =
        _mm256_hadd_epi32(_mm256_hadd_epi32(sums[r][0], sums[r][1]), _mm256_hadd_epi32(sums[r][2], sums[r][3]));
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    std::int32_t of_digits[kFixedDigits];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(of_digits), _mm_add_epi32(four, start));
    if (r < count) y[r * apart] = join_digits(of_digits, x.step);
  }
}

}  // namespace

const FixedKernel kFixedAvxVnni{fix_row_plain, two_rows, kRowsTogether};

}  // namespace octavo::gemm
#else
namespace octavo::gemm {
const FixedKernel kFixedAvxVnni{};
}
#endif
