// int8 products by AVX512-VNNI: vpdpbusd adds four products of unsigned by signed bytes to each of 16 sums. The rows
// are the unsigned side, offset by 128; the sums start at -128 * sum(w), which takes the offset out again. It wraps
// modulo 2^32 without saturating, so that the end is exact whenever it fits into int32, whatever is passed on the way.
#include <cstring>

#include "cpu.hpp"
#include "s8_strip.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

inline std::int32_t word(const std::int8_t* bytes) {
  std::int32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// sum += unsigned bytes of x * signed bytes of w, by fours. Not the intrinsic: GCC 12 copies the sums back and forth.
OCTAVO_TARGET inline __attribute__((always_inline)) void add_products(__m512i& sum, __m512i x, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
}

// `rows` rows by two panels. `apart` sums of each result are kept apart, where there are so few that the latency of the
// instruction would show.
template <int rows, int apart>
OCTAVO_TARGET void tile(const S8Strip& s, std::int64_t panel) {
  const std::int8_t* left = s.weights + panel * s.panel_stride;
  const std::int8_t* right = panel + 1 < s.panels ? left + s.panel_stride : left;
  const std::int8_t* a = s.a;
  __m512i sums[apart][rows][2];  // in registers, if every loop over them is unrolled
#pragma GCC unroll 4
  for (int u = 0; u < apart; ++u)
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) sums[u][r][0] = sums[u][r][1] = _mm512_setzero_si512();
  for (std::int64_t w = 0; w < s.steps * 16; w += apart) {
#pragma GCC unroll 4
    for (int u = 0; u < apart; ++u) {
      const __m512i w0 = _mm512_load_si512(left + 64 * u);
      const __m512i w1 = _mm512_load_si512(right + 64 * u);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const __m512i x = _mm512_set1_epi32(word(a + 4 * (u * rows + r)));
        add_products(sums[u][r][0], x, w0);
        add_products(sums[u][r][1], x, w1);
      }
    }
    left += 64 * apart;
    right += 64 * apart;
    a += 4 * rows * apart;
  }
  const bool both = panel + 1 < s.panels;
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int u = 1; u < apart; ++u) {
      sums[0][r][0] = _mm512_add_epi32(sums[0][r][0], sums[u][r][0]);
      sums[0][r][1] = _mm512_add_epi32(sums[0][r][1], sums[u][r][1]);
    }
    std::int32_t* to = s.sums + 16 * panel + r * s.sums_stride;
    const std::int32_t* from = s.add ? to : s.start + 16 * panel;
    _mm512_storeu_si512(to, _mm512_add_epi32(sums[0][r][0], _mm512_loadu_si512(from)));
    if (both) _mm512_storeu_si512(to + 16, _mm512_add_epi32(sums[0][r][1], _mm512_loadu_si512(from + 16)));
  }
}

template <int rows, int apart>
void tiles(const S8Strip& s) {
  for (std::int64_t panel = 0; panel < s.panels; panel += 2) tile<rows, apart>(s, panel);
}

constexpr int kRows =
    12;  // 24 sums, two weight vectors and a row's word fill the registers, at 14 loads to 24 products
using Tiles = void (*)(const S8Strip&);
constexpr Tiles kTiles[kRows + 1] = {nullptr,      tiles<1, 4>,  tiles<2, 4>, tiles<3, 2>, tiles<4, 2>,
                                     tiles<5, 2>,  tiles<6, 1>,  tiles<7, 1>, tiles<8, 1>, tiles<9, 1>,
                                     tiles<10, 1>, tiles<11, 1>, tiles<12, 1>};

void strip(const S8Strip& s) { kTiles[s.rows](s); }

#else

constexpr int kRows = 1;
void strip(const S8Strip&) {}

#endif

}  // namespace

const S8Kernel kAvx512VnniKernel{kRows, true, std::int64_t{1} << 40, strip};

}  // namespace octavo::gemm
