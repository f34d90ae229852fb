// Few rows of float32 by packed weights, to the bits of the same by weights as stored (float_stream_tile.hpp): each
// result is the sum of sixteen sums, of every sixteenth term, added up in the same order.
#include <algorithm>

#include "cpu.hpp"
#include "float_panels.hpp"
#include "float_product.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

constexpr std::int64_t kSums = kPanelTerms;  // of a result

constexpr std::int64_t kTermBytes = 32;  // of sixteen columns

// Terms k and k + 1 of sixteen columns, k even.
OCTAVO_TARGET inline void load(const std::byte* terms, __m512& even, __m512& odd) {
  const __m512i line = _mm512_load_si512(terms);
  even = _mm512_castsi512_ps(_mm512_slli_epi32(line, 16));
  odd = _mm512_castsi512_ps(_mm512_and_si512(line, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
}

// `lanes` of the sums of `rows` rows, from lane `first`: terms 16 i + first + lane.
template <int rows, int lanes>
OCTAVO_TARGET inline void sum_lanes(const float* x, std::int64_t x_stride, const std::byte* panel, std::int64_t blocks,
                                    int first, __m512 (*results)[kSums]) {
  __m512 sums[rows][lanes];
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
    for (int l = 0; l < lanes; ++l) sums[r][l] = _mm512_setzero_ps();
  x += first;
  panel += first * kTermBytes;
  for (std::int64_t block = 0; block < blocks; ++block, x += kSums, panel += kSums * kTermBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(panel) + 4096, _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(panel) + 4096 + 64, _MM_HINT_T0);
#pragma GCC unroll 8
    for (int l = 0; l < lanes; l += 2) {
      __m512 even, odd;
      load(panel + l * kTermBytes, even, odd);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) {
        sums[r][l] = _mm512_fmadd_ps(_mm512_set1_ps(x[r * x_stride + l]), even, sums[r][l]);
        sums[r][l + 1] = _mm512_fmadd_ps(_mm512_set1_ps(x[r * x_stride + l + 1]), odd, sums[r][l + 1]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
    for (int l = 0; l < lanes; ++l) results[r][first + l] = sums[r][l];
}

OCTAVO_TARGET inline __m512 added_up(const __m512* sums) {
  __m512 halves[kSums / 2];
  for (int l = 0; l < 8; ++l) halves[l] = _mm512_add_ps(sums[l], sums[l + 8]);
  const __m512 low = _mm512_add_ps(_mm512_add_ps(halves[0], halves[1]), _mm512_add_ps(halves[2], halves[3]));
  const __m512 high = _mm512_add_ps(_mm512_add_ps(halves[4], halves[5]), _mm512_add_ps(halves[6], halves[7]));
  return _mm512_add_ps(low, high);
}

// A panel by `rows` rows. The sums of one row fill half of the registers; those of more are made by halves.
template <int rows>
OCTAVO_TARGET void tile(const float* x, std::int64_t x_stride, const std::byte* panel, std::int64_t blocks,
                        __mmask16 columns, float* y, std::int64_t y_stride) {
  __m512 sums[rows][kSums];
  if constexpr (rows == 1) {
    sum_lanes<rows, 16>(x, x_stride, panel, blocks, 0, sums);
  } else {
    sum_lanes<rows, 8>(x, x_stride, panel, blocks, 0, sums);
    sum_lanes<rows, 8>(x, x_stride, panel, blocks, 8, sums);
  }
  for (int r = 0; r < rows; ++r) _mm512_mask_storeu_ps(y + r * y_stride, columns, added_up(sums[r]));
}

}  // namespace

void stream_panels_avx512(const FloatProduct& p, const FloatPanels& panels, const float* x, std::int64_t x_stride,
                          std::int64_t first, std::int64_t count) {
  using Tile = void (*)(const float*, std::int64_t, const std::byte*, std::int64_t, __mmask16, float*, std::int64_t);
  static constexpr std::int64_t kRows = 3;  // whose sums fit the registers
  static constexpr Tile kTiles[kRows + 1] = {nullptr, tile<1>, tile<2>, tile<3>};
  const std::int64_t blocks = (p.k + kSums - 1) / kSums;
  for (std::int64_t panel = first; panel < first + count; ++panel) {
    const std::int64_t column = panel * kPanelColumns;
    const std::int64_t columns = std::min(kPanelColumns, p.n - column);
    const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(columns)) - 1);
    for (std::int64_t row = 0; row < p.m; row += kRows)
      kTiles[std::min(kRows, p.m - row)](x + row * x_stride, x_stride, panels.panel(panel), blocks, mask,
                                         p.y + row * p.n + column, p.n);
  }
}

#else

void stream_panels_avx512(const FloatProduct&, const FloatPanels&, const float*, std::int64_t, std::int64_t,
                          std::int64_t) {}

#endif

}  // namespace octavo::gemm
