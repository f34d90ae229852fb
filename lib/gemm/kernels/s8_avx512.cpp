// int8 products by AVX-512 without VNNI, as s8_avx2.cpp makes them: on sixteen sums.
#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m512i;
  struct Weights {  // values 0 and 2 along K of sixteen columns, and 1 and 3, as int16
    __m512i even, odd;
  };
  using Word = const std::byte*;  // 0 and 2, then 1 and 3, as int16: interleave_wide_rows
  static constexpr std::int64_t kColumns = 16, kWordBytes = 8;
  static constexpr std::int64_t kTileRows = 12;  // 24 sums, four weights and two products
  static constexpr int registers(int rows) { return rows == 1 ? 4 : 2; }
  static constexpr int apart(int /*rows*/) { return 1; }
  OCTAVO_TARGET static Sum zero() { return _mm512_setzero_si512(); }
  OCTAVO_TARGET static Sum load(const std::byte* words) { return _mm512_loadu_si512(words); }
  OCTAVO_TARGET static void store(std::byte* words, Sum sum) { _mm512_storeu_si512(words, sum); }
  OCTAVO_TARGET static Weights weights(const std::byte* words) {
    const __m512i bytes = load(words);
    return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8), _mm512_srai_epi16(bytes, 8)};
  }
  static Word word(const std::byte* bytes) { return bytes; }
  // Not intrinsics: compilers load the words of all rows first, and keep the sums in memory then.
  OCTAVO_TARGET static void add(Sum& sum, Word x, const Weights& w) {
    __m512i even, odd;
    __asm__(
        "vpbroadcastd %[x_even], %[even]\n\t"
        "vpbroadcastd %[x_odd], %[odd]\n\t"
        "vpmaddwd %[even], %[w_even], %[even]\n\t"
        "vpmaddwd %[odd], %[w_odd], %[odd]\n\t"
        "vpaddd %[even], %[sum], %[sum]\n\t"
        "vpaddd %[odd], %[sum], %[sum]"
        : [sum] "+v"(sum), [even] "=&v"(even), [odd] "=&v"(odd)
        : [w_even] "v"(w.even), [w_odd] "v"(w.odd), [x_even] "m"(*reinterpret_cast<const char(*)[4]>(x)),
          [x_odd] "m"(*reinterpret_cast<const char(*)[4]>(x + 4)));
  }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx512Int8Kernel{kInterleavedRows, 1, true, 252, 16, multiply_words<Step>, nullptr, nullptr, true};
#else
const TileKernel kAvx512Int8Kernel{kInterleavedRows, 1, true, 252, 16, nullptr, nullptr, nullptr, true};
#endif

}  // namespace octavo::gemm
