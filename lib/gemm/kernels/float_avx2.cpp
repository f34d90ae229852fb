// float32 products by AVX2 and FMA.
#define OCTAVO_TARGET __attribute__((target("avx2,fma")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m256;
  using Weights = __m256;
  using Word = __m256;
  static constexpr std::int64_t kColumns = 8, kWordBytes = 4;
  static constexpr std::int64_t kTileRows = 6;  // 12 sums, two weights and a word of the 16 registers
  static constexpr int registers(int rows) { return rows == 1 ? 8 : 2; }
  static constexpr int apart(int rows) { return rows == 2 || rows == 3 ? 2 : 1; }
  OCTAVO_TARGET static Sum zero() { return _mm256_setzero_ps(); }
  OCTAVO_TARGET static Sum load(const void* words) { return _mm256_loadu_ps(static_cast<const float*>(words)); }
  OCTAVO_TARGET static void store(void* words, Sum sum) { _mm256_storeu_ps(static_cast<float*>(words), sum); }
  OCTAVO_TARGET static Weights weights(const std::byte* words) { return load(words); }
  OCTAVO_TARGET static Word word(const std::byte* bytes) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(bytes));
  }
  OCTAVO_TARGET static void add(Sum& sum, Word x, Weights w) { sum = _mm256_fmadd_ps(x, w, sum); }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm256_add_ps(a, b); }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx2FmaKernel{kInterleavedRows, 1, true, 480, 32, multiply_words<Step>};
#else
const TileKernel kAvx2FmaKernel{kInterleavedRows, 1, true, 480, 32, nullptr};
#endif

}  // namespace octavo::gemm
