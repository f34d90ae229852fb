// int8 products by AVX2 alone.
#define OCTAVO_TARGET __attribute__((target("avx2")))
#include "wide_words.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Registers {
  using Vector = __m256i;
  static constexpr std::int64_t kColumns = 8;
  OCTAVO_TARGET static Vector zero() { return _mm256_setzero_si256(); }
  OCTAVO_TARGET static Vector load(const std::byte* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  OCTAVO_TARGET static void store(std::byte* words, Vector v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), v);
  }
  OCTAVO_TARGET static Vector plus(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  OCTAVO_TARGET static Vector even(Vector bytes) { return odd(_mm256_slli_epi16(bytes, 8)); }
  OCTAVO_TARGET static Vector odd(Vector bytes) { return _mm256_srai_epi16(bytes, 8); }
};

struct Step : WideWords<Registers> {
  // 12 rows: 12 sums, two weights and two products fill the 16 registers.
  static constexpr int registers(int rows) { return rows == 1 ? 8 : rows <= 4 ? 2 : 1; }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx2Int8Kernel{kInterleavedRows, 1, true, 252, 16, multiply_words<Step>, nullptr, nullptr, true};
#else
const TileKernel kAvx2Int8Kernel{kInterleavedRows, 1, true, 252, 16, nullptr, nullptr, nullptr, true};
#endif

}  // namespace octavo::gemm
