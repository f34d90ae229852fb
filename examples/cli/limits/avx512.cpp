#include "kernels.hpp"

#ifdef OCTAVO_LIMITS_X86
#include <immintrin.h>

namespace limits {

void avx512_f32(std::int64_t rounds) {
  __m512 sums[24];
#pragma GCC unroll 24
  for (__m512& sum : sums) sum = _mm512_set1_ps(1.0F);
  const __m512 x = _mm512_set1_ps(0.5F);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (__m512& sum : sums) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

void avx512_exp(std::int64_t rounds) {
  const __m512 log2e = _mm512_set1_ps(kLog2E), rounder = _mm512_set1_ps(kRounder);
  __m512 x[8], sums[8];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 8; ++i) {
    x[i] = _mm512_set1_ps(-0.125F * static_cast<float>(i));
    sums[i] = _mm512_setzero_ps();
  }
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
      __asm__ volatile("" : "+v"(x[i]));  // as if it were another one each time
      const __m512 shifted = _mm512_fmadd_ps(x[i], log2e, rounder);
      const __m512 f = _mm512_fmsub_ps(x[i], log2e, _mm512_sub_ps(shifted, rounder));
      __m512 p = _mm512_set1_ps(kExp2[5]);
#pragma GCC unroll 5
      for (std::size_t term = 5; term-- > 0;) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2[term]));
      const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
      sums[i] = _mm512_add_ps(sums[i], _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n)));
    }
  }
#pragma GCC unroll 8
  for (__m512& sum : sums) __asm__ volatile("" ::"v"(sum));
}

// Four streams, as far apart as they can be: one alone does not keep enough reads under way.
void avx512_read(const std::byte* memory, std::size_t bytes) {
  const std::size_t quarter = bytes / 4;
  __m512i sums[8];
#pragma GCC unroll 8
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i + 128 <= quarter; i += 128) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j)
      sums[j] = _mm512_add_epi64(sums[j], _mm512_loadu_si512(memory + j / 2 * quarter + i + 64 * (j % 2)));
  }
#pragma GCC unroll 8
  for (__m512i& sum : sums) __asm__ volatile("" ::"v"(sum));
}

}  // namespace limits
#endif
