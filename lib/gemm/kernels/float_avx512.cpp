// float32 products by AVX-512's multiply-add.
#include <cstring>

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m512;
  using Weights = __m512;
  using Word = __m512;
  static constexpr std::int64_t kColumns = 16, kWordBytes = 4, kTileRows = 12;  // at 14 loads to 24 products
  static constexpr int registers(int rows) { return rows == 1 ? 4 : 2; }
  static constexpr int apart(int rows) { return rows == 2 ? 4 : rows <= 5 ? 2 : 1; }
  OCTAVO_TARGET static Sum zero() { return _mm512_setzero_ps(); }
  OCTAVO_TARGET static Sum load(const void* words) { return _mm512_loadu_ps(words); }
  OCTAVO_TARGET static Weights weights(const std::byte* words) { return load(words); }
  OCTAVO_TARGET static void store(void* words, Sum sum) { _mm512_storeu_ps(words, sum); }
  OCTAVO_TARGET static Word word(const std::byte* bytes) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return _mm512_set1_ps(value);
  }
  OCTAVO_TARGET static void add(Sum& sum, Word x, Weights w) { sum = _mm512_fmadd_ps(x, w, sum); }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm512_add_ps(a, b); }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx512FmaKernel{kInterleavedRows, 1, true, 480, 32, multiply_words<Step>};
#else
const TileKernel kAvx512FmaKernel{kInterleavedRows, 1, true, 480, 32, nullptr};
#endif

}  // namespace octavo::gemm
