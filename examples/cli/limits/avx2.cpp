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
