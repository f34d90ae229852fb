// int8 products by AVX2 alone, whose product of bytes saturates: both sides are widened to int16, so that every sum of
// two products is exact (2 * 128 * 128 < 2^31). Rows come widened, weights are widened in registers.
#define OCTAVO_TARGET __attribute__((target("avx2")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m256i;
  struct Weights {  // values 0 and 2 along K of eight columns, and 1 and 3, as int16
    __m256i even, odd;
  };
  using Word = const std::byte*;  // 0 and 2, then 1 and 3, as int16: interleave_wide_rows
  static constexpr std::int64_t kColumns = 8, kWordBytes = 8;
  static constexpr std::int64_t kTileRows = 12;  // 12 sums, two weights and two products
  static constexpr int registers(int rows) { return rows == 1 ? 8 : rows <= 4 ? 2 : 1; }
  static constexpr int apart(int /*rows*/) { return 1; }
  OCTAVO_TARGET static Sum zero() { return _mm256_setzero_si256(); }
  OCTAVO_TARGET static Sum load(const std::byte* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  OCTAVO_TARGET static void store(std::byte* words, Sum sum) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), sum);
  }
  OCTAVO_TARGET static Weights weights(const std::byte* words) {
    const __m256i bytes = load(words);
    return {_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
  }
  static Word word(const std::byte* bytes) { return bytes; }
  // Not intrinsics: compilers load the words of all rows first, and keep the sums in memory then.
  OCTAVO_TARGET static void add(Sum& sum, Word x, const Weights& w) {
    __m256i even, odd;
    __asm__(
        "vpbroadcastd %[x_even], %[even]\n\t"
        "vpbroadcastd %[x_odd], %[odd]\n\t"
        "vpmaddwd %[even], %[w_even], %[even]\n\t"
        "vpmaddwd %[odd], %[w_odd], %[odd]\n\t"
        "vpaddd %[even], %[sum], %[sum]\n\t"
        "vpaddd %[odd], %[sum], %[sum]"
        : [sum] "+x"(sum), [even] "=&x"(even), [odd] "=&x"(odd)
        : [w_even] "x"(w.even), [w_odd] "x"(w.odd), [x_even] "m"(*reinterpret_cast<const char(*)[4]>(x)),
          [x_odd] "m"(*reinterpret_cast<const char(*)[4]>(x + 4)));
  }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx2Int8Kernel{kInterleavedRows, 1, true, 252, 16, multiply_words<Step>, nullptr, nullptr, true};
#else
const TileKernel kAvx2Int8Kernel{kInterleavedRows, 1, true, 252, 16, nullptr, nullptr, nullptr, true};
#endif

}  // namespace octavo::gemm
