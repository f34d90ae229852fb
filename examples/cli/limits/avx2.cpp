#include "kernels.hpp"

#ifdef OCTAVO_LIMITS_X86
#include <immintrin.h>

namespace limits {

void avx2_f32(std::int64_t rounds) {
  __m256 sums[12];
#pragma GCC unroll 12
  for (__m256& sum : sums) sum = _mm256_set1_ps(1.0F);
  const __m256 x = _mm256_set1_ps(0.5F);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256& sum : sums) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+x"(sum) : "x"(x));
  }
}

void avx2_int8(std::int64_t rounds) {
  __m256i sums[12];
#pragma GCC unroll 12
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  const __m256i x = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      __m256i pairs;
      __asm__ volatile(
          "vpmaddubsw %2, %2, %1\n\t"
          "vpmaddwd %3, %1, %1\n\t"
          "vpaddd %1, %0, %0"
          : "+x"(sum), "=&x"(pairs)
          : "x"(x), "x"(ones));
    }
  }
}

void avx2_exp(std::int64_t rounds) {
  const __m256 log2e = _mm256_set1_ps(kLog2E), rounder = _mm256_set1_ps(kRounder);
  __m256 x[4], sums[4];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    x[i] = _mm256_set1_ps(-0.125F * static_cast<float>(i));
    sums[i] = _mm256_setzero_ps();
  }
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      __asm__ volatile("" : "+x"(x[i]));  // as if it were another one each time
      const __m256 shifted = _mm256_fmadd_ps(x[i], log2e, rounder);
      const __m256 f = _mm256_fmsub_ps(x[i], log2e, _mm256_sub_ps(shifted, rounder));
      __m256 p = _mm256_set1_ps(kExp2[5]);
#pragma GCC unroll 5
      for (std::size_t term = 5; term-- > 0;) p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2[term]));
      const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
      sums[i] = _mm256_add_ps(sums[i], _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n)));
    }
  }
#pragma GCC unroll 4
  for (__m256& sum : sums) __asm__ volatile("" ::"x"(sum));
}

void avx2_read(const std::byte* memory, std::size_t bytes) {
  __m256i sums[8];
#pragma GCC unroll 8
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < bytes; i += 256) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) {
      const auto* block = reinterpret_cast<const __m256i*>(memory + i + 32 * j);
      sums[j] = _mm256_add_epi64(sums[j], _mm256_loadu_si256(block));
    }
  }
#pragma GCC unroll 8
  for (__m256i& sum : sums) __asm__ volatile("" ::"x"(sum));
}

}  // namespace limits
#endif
