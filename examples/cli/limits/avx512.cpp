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
