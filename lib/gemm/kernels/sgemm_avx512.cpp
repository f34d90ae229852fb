// float32 products by AVX-512: 12 rows by two vectors of 16 are 24 sums, beside two of B and one of A.
#include "cpu.hpp"
#include "panels.hpp"
#include "sgemm_kernel.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#include <algorithm>

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "sgemm_tile.hpp"

namespace octavo::gemm {

namespace {

struct V {
  using Vector = __m512;
  static constexpr std::int64_t kWidth = 16;
  static constexpr int kRows = 12;
  OCTAVO_TARGET static Vector zero() { return _mm512_setzero_ps(); }
  OCTAVO_TARGET static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  OCTAVO_TARGET static void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  OCTAVO_TARGET static Vector broadcast(float x) { return _mm512_set1_ps(x); }
  OCTAVO_TARGET static Vector add_product(Vector sum, Vector x, Vector y) { return _mm512_fmadd_ps(x, y, sum); }
  OCTAVO_TARGET static Vector times(Vector x, Vector y) { return _mm512_mul_ps(x, y); }
};

static_assert(kPanelColumns == V::kWidth && kPanelRound * 4 == kStepBytes, "the panels of panels.hpp");

// 16 x 16: runs become lines. Words, pairs and quarters are interleaved in turn.
OCTAVO_TARGET inline void turn(const float* from, std::int64_t stride, float* lines) {
  __m512 runs[16], pairs[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) runs[i] = _mm512_loadu_ps(from + i * stride);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(runs[i], runs[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(runs[i], runs[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      runs[i + 2 * j] = _mm512_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      runs[i + 2 * j + 1] = _mm512_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
    }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 low01 = _mm512_shuffle_f32x4(runs[j], runs[4 + j], 0x88);
    const __m512 high01 = _mm512_shuffle_f32x4(runs[j], runs[4 + j], 0xdd);
    const __m512 low23 = _mm512_shuffle_f32x4(runs[8 + j], runs[12 + j], 0x88);
    const __m512 high23 = _mm512_shuffle_f32x4(runs[8 + j], runs[12 + j], 0xdd);
    _mm512_storeu_ps(lines + 16 * j, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(lines + 16 * (4 + j), _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(lines + 16 * (8 + j), _mm512_shuffle_f32x4(low01, low23, 0xdd));
    _mm512_storeu_ps(lines + 16 * (12 + j), _mm512_shuffle_f32x4(high01, high23, 0xdd));
  }
}

// Sixteen runs at once are more than processors foresee: what follows is fetched, of the next panel, too.
OCTAVO_TARGET void pack_along(const PanelSource& s, float* panels, std::int64_t apart) {
  constexpr std::int64_t kAhead = 128;
  for (std::int64_t first = 0; first < s.count; first += s.used, panels += apart) {
    const float* const from = s.from + first * s.stride;
    if (first + 16 <= s.count) {  // where a panel uses fewer, the next ones are turned along with them
      const std::int64_t whole = s.k / 16 * 16;
      for (std::int64_t i = 0; i < whole; i += 16) {
        const float* ahead = i + kAhead < whole ? from + i + kAhead : from + s.used * s.stride + i % kAhead;
#pragma GCC unroll 16
        for (int r = 0; r < 16; ++r) _mm_prefetch(ahead + r * s.stride, _MM_HINT_T0);
        turn(from + i, s.stride, panels + 16 * i);
      }
      for (std::int64_t i = whole; i < s.k; ++i)
        for (std::int64_t r = 0; r < s.used; ++r) panels[16 * i + r] = from[r * s.stride + i];
    } else {
      pack_panel(from, s.stride * 4, std::min(s.used, s.count - first), s.k * 4, panels);
    }
  }
}

// Whole lines, one after the other: each is in a page of its own.
OCTAVO_TARGET void pack_across(const PanelSource& s, float* panels, std::int64_t apart) {
  const auto mask_of = [](std::int64_t count) {
    return static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
  };
  const std::int64_t whole = s.count / s.used;
  const __mmask16 all = mask_of(s.used), rest = mask_of(s.count % s.used);
  for (std::int64_t i = 0; i < s.k; ++i, panels += V::kWidth) {
    const float* from = s.from + i * s.stride;
    float* to = panels;
    for (std::int64_t p = 0; p < whole; ++p, from += s.used, to += apart)
      _mm512_storeu_ps(to, _mm512_maskz_loadu_ps(all, from));
    if (rest != 0) _mm512_storeu_ps(to, _mm512_maskz_loadu_ps(rest, from));
  }
}

}  // namespace

const SgemmKernel kSgemmAvx512{V::kRows, V::kWidth, pack_along, pack_across, sgemm_multiply<V>};

}  // namespace octavo::gemm
#else
namespace octavo::gemm {
const SgemmKernel kSgemmAvx512{};
}
#endif
