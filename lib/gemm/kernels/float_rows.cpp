#include "float_rows.hpp"

#include "cpu.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

OCTAVO_TARGET inline __m512i word(std::uint32_t bits) { return _mm512_set1_epi32(static_cast<int>(bits)); }

// Sixteen float32 in the upper halves of their words; the lower halves are 0. Nearest, ties to even; a NaN stays one.
OCTAVO_TARGET inline __m512i rounded(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), word(1));
  const __m512i nearest = _mm512_add_epi32(_mm512_add_epi32(bits, word(0x7fffU)), odd);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_and_si512(_mm512_mask_or_epi32(nearest, nan, bits, word(0x00400000U)), word(0xffff0000U));
}

OCTAVO_TARGET inline __mmask16 not_finite(__m512 x) {
  return _mm512_cmp_epi32_mask(_mm512_and_si512(_mm512_castps_si512(x), word(0x7f800000U)), word(0x7f800000U),
                               _MM_CMPINT_EQ);
}

// x = the sum of parts, whose bf16 are the upper halves of words; what is not finite is in the first alone.
struct InOne {
  static constexpr int kParts = 1;
  OCTAVO_TARGET static void split(__m512 x, __m512i* parts) { parts[0] = rounded(x); }
};

// 8 + 8 + 8 bits of significand, which leaves no rest.
struct InThree {
  static constexpr int kParts = 3;
  OCTAVO_TARGET static void split(__m512 x, __m512i* parts) {
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);  // whose lower bits alone may say so
    const __m512i bits = _mm512_castps_si512(x);
    parts[0] = _mm512_and_si512(_mm512_mask_or_epi32(bits, nan, bits, word(0x00400000U)), word(0xffff0000U));
    const auto finite = static_cast<__mmask16>(~not_finite(x));
    const __m512 rest = _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(parts[0]));
    parts[1] = _mm512_and_si512(_mm512_castps_si512(rest), word(0xffff0000U));
    parts[2] = _mm512_castps_si512(_mm512_sub_ps(rest, _mm512_castsi512_ps(parts[1])));
  }
};

OCTAVO_TARGET inline __m512 load(const float* x, std::int64_t count) {
  if (count >= 16) return _mm512_loadu_ps(x);
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << static_cast<unsigned>(count > 0 ? count : 0)) - 1), x);
}

// By the step, so that what is written is written in order.
template <class Form>
OCTAVO_TARGET void lines_of(const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count,
                            std::uint16_t* to) {
  alignas(64) static constexpr std::uint16_t kUpper[32] = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21,
                                                           23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43,
                                                           45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
  const __m512i upper = _mm512_load_si512(kUpper);
  const std::int64_t part = rows * kBf16Line;
  for (std::int64_t i = 0; i < count; i += kBf16Line, to += Form::kParts * part)
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* from = x + r * row_stride + i;
      _mm_prefetch(reinterpret_cast<const char*>(from + 256), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(from + 256 + 16), _MM_HINT_T0);
      __m512i first[Form::kParts], second[Form::kParts];
      Form::split(load(from, count - i), first);
      Form::split(load(from + 16, count - i - 16), second);
      for (int p = 0; p < Form::kParts; ++p)
        _mm512_storeu_si512(to + p * part + r * kBf16Line, _mm512_permutex2var_epi16(first[p], upper, second[p]));
    }
}

}  // namespace

void lines_of_bf16(const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count, std::uint16_t* to) {
  lines_of<InOne>(x, row_stride, rows, count, to);
}

void lines_of_three_bf16(const float* x, std::int64_t row_stride, std::int64_t rows, std::int64_t count,
                         std::uint16_t* to) {
  lines_of<InThree>(x, row_stride, rows, count, to);
}

#else

void lines_of_bf16(const float*, std::int64_t, std::int64_t, std::int64_t, std::uint16_t*) {}
void lines_of_three_bf16(const float*, std::int64_t, std::int64_t, std::int64_t, std::uint16_t*) {}

#endif

}  // namespace octavo::gemm
