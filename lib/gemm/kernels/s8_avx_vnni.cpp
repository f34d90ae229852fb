// int8 products by AVX-VNNI, which processors without AVX-512 have: vpdpbusd on eight sums, as s8_avx512_vnni.cpp has
// it on sixteen, with rows and sums offset in the same way.
#include <cstring>

#define OCTAVO_TARGET __attribute__((target("avx2")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m256i;
  using Weights = __m256i;
  using Word = __m256i;
  static constexpr std::int64_t kColumns = 8, kWordBytes = 4;
  static constexpr std::int64_t kTileRows = 6;  // 12 sums, two weights and a word of the 16 registers
  static constexpr int registers(int rows) { return rows == 1 ? 8 : 2; }
  static constexpr int apart(int rows) { return rows == 2 || rows == 3 ? 2 : 1; }
  OCTAVO_TARGET static Sum zero() { return _mm256_setzero_si256(); }
  OCTAVO_TARGET static Sum load(const std::byte* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  OCTAVO_TARGET static void store(std::byte* words, Sum sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), sum);
  }
  OCTAVO_TARGET static Weights weights(const std::byte* words) { return load(words); }
  OCTAVO_TARGET static Word word(const std::byte* bytes) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return _mm256_set1_epi32(value);
  }
  // In VEX encoding, which assemblers take only when told: the other one is AVX-512's.
  OCTAVO_TARGET static void add(Sum& sum, Word x, Weights w) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
  }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvxVnniKernel{kInterleavedRows, 1, true, 1020, 32, multiply_words<Step>};
#else
const TileKernel kAvxVnniKernel{kInterleavedRows, 1, true, 1020, 32, nullptr};
#endif

}  // namespace octavo::gemm
