#include "kernels.hpp"

#ifdef OCTAVO_LIMITS_X86
#include <immintrin.h>

namespace limits {

void avx512_bf16(std::int64_t rounds) {
  __m512 sums[24];
#pragma GCC unroll 24
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  const __m512i x = _mm512_set1_epi32(0x3F803F80);  // pairs of 1.0
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (__m512& sum : sums) __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

}  // namespace limits
#endif
