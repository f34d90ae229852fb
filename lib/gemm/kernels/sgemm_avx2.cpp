// float32 products by AVX2 and FMA: 6 rows by two vectors of 8 are 12 sums, beside two of B and one of A.
#include "cpu.hpp"
#include "sgemm_kernel.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#include <algorithm>

#define OCTAVO_TARGET __attribute__((target("avx2,fma")))
#include "sgemm_tile.hpp"

namespace octavo::gemm {

namespace {

struct V {
  using Vector = __m256;
  static constexpr std::int64_t kWidth = 8;
  static constexpr int kRows = 6;
  OCTAVO_TARGET static Vector zero() { return _mm256_setzero_ps(); }
  OCTAVO_TARGET static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  OCTAVO_TARGET static void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  OCTAVO_TARGET static Vector broadcast(float x) { return _mm256_set1_ps(x); }
  OCTAVO_TARGET static Vector add_product(Vector sum, Vector x, Vector y) { return _mm256_fmadd_ps(x, y, sum); }
  OCTAVO_TARGET static Vector times(Vector x, Vector y) { return _mm256_mul_ps(x, y); }
};

// 8 x 8: runs become lines. Pairs, quarters and halves are interleaved in turn.
OCTAVO_TARGET inline void turn(const __m256* runs, float* lines) {
  __m256 pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(runs[i], runs[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(runs[i], runs[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      quads[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(lines + 8 * j, _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x20));
    _mm256_storeu_ps(lines + 8 * (4 + j), _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x31));
  }
}

OCTAVO_TARGET void pack_along(const PanelSource& s, float* panels, std::int64_t apart) {
  for (std::int64_t first = 0; first < s.count; first += s.used, panels += apart) {
    const float* const from = s.from + first * s.stride;
    const std::int64_t count = std::min(s.used, s.count - first);
    std::int64_t i = 0;
    for (; i + 8 <= s.k; i += 8) {
      __m256 runs[8];
      for (std::int64_t r = 0; r < 8; ++r)
        runs[r] = r < count ? _mm256_loadu_ps(from + r * s.stride + i) : _mm256_setzero_ps();
      turn(runs, panels + 8 * i);
    }
    for (; i < s.k; ++i)
      for (std::int64_t r = 0; r < count; ++r) panels[8 * i + r] = from[r * s.stride + i];
  }
}

// Whole lines, one after the other: each is in a page of its own.
OCTAVO_TARGET void pack_across(const PanelSource& s, float* panels, std::int64_t apart) {
  for (std::int64_t i = 0; i < s.k; ++i, panels += V::kWidth) {
    const float* const line = s.from + i * s.stride;
    float* to = panels;
    std::int64_t first = 0;
    for (; first + V::kWidth <= s.count; first += s.used, to += apart)  // what is beyond `used` is not read again
      _mm256_storeu_ps(to, _mm256_loadu_ps(line + first));
    for (; first < s.count; first += s.used, to += apart)
      for (std::int64_t r = 0; r < std::min(s.used, s.count - first); ++r) to[r] = line[first + r];
  }
}

}  // namespace

const SgemmKernel kSgemmAvx2{V::kRows, V::kWidth, pack_along, pack_across, sgemm_multiply<V>};

}  // namespace octavo::gemm
#else
namespace octavo::gemm {
const SgemmKernel kSgemmAvx2{};
}
#endif
