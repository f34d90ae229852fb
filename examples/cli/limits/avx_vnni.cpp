#include "kernels.hpp"

#ifdef OCTAVO_LIMITS_X86
#include <immintrin.h>

namespace limits {

void avx_vnni_int8(std::int64_t rounds) {
  __m256i sums[12];
#pragma GCC unroll 12
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  const __m256i x = _mm256_set1_epi32(0x01010101);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) __asm__ volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sum) : "x"(x));
  }
}

}  // namespace limits
#endif
