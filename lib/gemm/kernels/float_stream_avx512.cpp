// Few rows of float32 by weights as stored, on AVX-512.
#include "cpu.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "float_stream_tile.hpp"

namespace octavo::gemm {

namespace {

OCTAVO_TARGET inline __mmask16 mask_of(std::int64_t count) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1);
}

struct Lanes {
  using Sixteen = __m512;
  static constexpr int kOneRow = 8, kColumns = 4;
  OCTAVO_TARGET static __m512 zero() { return _mm512_setzero_ps(); }
  OCTAVO_TARGET static __m512 load(const float* x) { return _mm512_loadu_ps(x); }
  OCTAVO_TARGET static __m512 load(const float* x, std::int64_t count) {
    return _mm512_maskz_loadu_ps(mask_of(count), x);
  }
  OCTAVO_TARGET static void add_product(__m512& sum, __m512 x, __m512 w) { sum = _mm512_fmadd_ps(x, w, sum); }
  OCTAVO_TARGET static __m128 sums_of(const __m512 (&sixteens)[4]) {
    __m256 halves[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      halves[j] = _mm256_add_ps(_mm512_castps512_ps256(sixteens[j]), _mm512_extractf32x8_ps(sixteens[j], 1));
    const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(halves[0], halves[1]), _mm256_hadd_ps(halves[2], halves[3]));
    return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
  }
  OCTAVO_TARGET static void store(__m128 four, std::int64_t count, float* to) {
    _mm_mask_storeu_ps(to, static_cast<__mmask8>(mask_of(count)), four);
  }
};

struct Float32 {
  using Stored = float;
  OCTAVO_TARGET static __m512 load(const float* w) { return _mm512_loadu_ps(w); }
  OCTAVO_TARGET static __m512 load(const float* w, std::int64_t count) {
    return _mm512_maskz_loadu_ps(mask_of(count), w);
  }
};

struct BFloat {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static __m512 widened(__m256i w) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(w), 16));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w) {
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w, std::int64_t count) {
    return widened(_mm256_maskz_loadu_epi16(mask_of(count), w));
  }
};

struct Half {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w, std::int64_t count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask_of(count), w));
  }
};

struct Byte {
  using Stored = std::int8_t;
  OCTAVO_TARGET static __m512 load(const std::int8_t* w) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w))));
  }
  OCTAVO_TARGET static __m512 load(const std::int8_t* w, std::int64_t count) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask_of(count), w)));
  }
};

}  // namespace

void stream_rows_avx512(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  stream_any<Lanes, Float32, BFloat, Half, Byte>(p, first, count);
}

}  // namespace octavo::gemm
#else
#include "float_product.hpp"
namespace octavo::gemm {
void stream_rows_avx512(const FloatProduct&, std::int64_t, std::int64_t) {}
}  // namespace octavo::gemm
#endif
