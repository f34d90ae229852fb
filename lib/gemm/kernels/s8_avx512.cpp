// int8 products by AVX-512 without VNNI.
#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "wide_words.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Registers {
  using Vector = __m512i;
  static constexpr std::int64_t kColumns = 16;
  OCTAVO_TARGET static Vector zero() { return _mm512_setzero_si512(); }
  OCTAVO_TARGET static Vector load(const std::byte* words) { return _mm512_loadu_si512(words); }
  OCTAVO_TARGET static void store(std::byte* words, Vector v) { _mm512_storeu_si512(words, v); }
  OCTAVO_TARGET static Vector plus(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  OCTAVO_TARGET static Vector even(Vector bytes) { return odd(_mm512_slli_epi16(bytes, 8)); }
  OCTAVO_TARGET static Vector odd(Vector bytes) { return _mm512_srai_epi16(bytes, 8); }
};

struct Step : WideWords<Registers> {
  // 12 rows: 24 sums, four weights and two products.
  static constexpr int registers(int rows) { return rows == 1 ? 4 : 2; }
};

#endif

}  // namespace

#ifdef OCTAVO_X86
const TileKernel kAvx512Int8Kernel{kInterleavedRows, 1, true, 252, 16, multiply_words<Step>, nullptr, nullptr, true};
#else
const TileKernel kAvx512Int8Kernel{kInterleavedRows, 1, true, 252, 16, nullptr, nullptr, nullptr, true};
#endif

}  // namespace octavo::gemm
