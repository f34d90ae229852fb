// int8 products by AVX512-VNNI: vpdpbusd adds four products of unsigned by signed bytes to each of 16 sums. The rows
// are the unsigned side, offset by 128; the sums start at -128 * sum(w), which takes the offset out again. It wraps
// modulo 2^32 without saturating, so that the end is exact whenever it fits into int32, whatever is passed on the way.
#include <cstring>

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m512i;
  using Weights = __m512i;
  using Word = __m512i;
  static constexpr std::int64_t kColumns = 16, kWordBytes = 4, kTileRows = 12;  // at 14 loads to 24 products
  static constexpr int registers(int rows) { return rows == 1 ? 4 : 2; }
  static constexpr int apart(int rows) { return rows == 2 ? 4 : rows <= 5 ? 2 : 1; }
  OCTAVO_TARGET static Sum zero() { return _mm512_setzero_si512(); }
  OCTAVO_TARGET static Sum load(const std::byte* words) { return _mm512_loadu_si512(words); }
  OCTAVO_TARGET static Weights weights(const std::byte* words) { return load(words); }
  OCTAVO_TARGET static void store(std::byte* words, Sum sum) { _mm512_storeu_si512(words, sum); }
  OCTAVO_TARGET static Word word(const std::byte* bytes) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return _mm512_set1_epi32(value);
  }
  // Not the intrinsic: GCC 12 copies the sums back and forth around it.
  OCTAVO_TARGET static void add(Sum& sum, Word x, Weights w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
};

struct StepOfOffsetWeights : Step {
  OCTAVO_TARGET static void add(Sum& sum, Word x, Weights w) {
    __asm__("vpdpbusd %1, %2, %0" : "+v"(sum) : "v"(x), "v"(w));
  }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx512VnniKernel{kInterleavedRows, 1, true, 1020, 32, multiply_words<Step>};
const TileKernel kAvx512VnniOffsetWeightsKernel{
    kInterleavedRows, 1, true, 1020, 32, multiply_words<StepOfOffsetWeights>};
#else
const TileKernel kAvx512VnniKernel{kInterleavedRows, 1, true, 1020, 32, nullptr};
const TileKernel kAvx512VnniOffsetWeightsKernel{kInterleavedRows, 1, true, 1020, 32, nullptr};
#endif

}  // namespace octavo::gemm
