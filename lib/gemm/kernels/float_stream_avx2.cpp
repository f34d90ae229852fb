// Few rows of float32 by weights as stored, on AVX2 and FMA, to the bits of AVX-512.
#include <cstring>

#include "cpu.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

#define OCTAVO_TARGET __attribute__((target("avx2,fma,f16c")))
#include "float_stream_tile.hpp"

namespace octavo::gemm {

namespace {

struct TwoVectors {
  __m256 low, high;
};

struct Lanes {
  using Sixteen = TwoVectors;
  static constexpr int kOneRow = 4, kColumns = 2;
  OCTAVO_TARGET static TwoVectors zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  OCTAVO_TARGET static TwoVectors load(const float* x) { return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
  OCTAVO_TARGET static TwoVectors load(const float* x, std::int64_t count) {
    float some[16] = {};
    std::memcpy(some, x, static_cast<std::size_t>(count) * sizeof *x);
    return load(some);
  }
  OCTAVO_TARGET static void add_product(TwoVectors& sum, const TwoVectors& x, const TwoVectors& w) {
    sum.low = _mm256_fmadd_ps(x.low, w.low, sum.low);
    sum.high = _mm256_fmadd_ps(x.high, w.high, sum.high);
  }
  OCTAVO_TARGET static __m128 sums_of(const TwoVectors (&sixteens)[4]) {
    __m256 halves[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) halves[j] = _mm256_add_ps(sixteens[j].low, sixteens[j].high);
    const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(halves[0], halves[1]), _mm256_hadd_ps(halves[2], halves[3]));
    return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
  }
  OCTAVO_TARGET static void store(__m128 four, std::int64_t count, float* to) {
    float all[4];
    _mm_storeu_ps(all, four);
    std::memcpy(to, all, static_cast<std::size_t>(count) * sizeof *to);
  }
};

// Of `count` weights and zeros.
template <class Weight>
OCTAVO_TARGET inline TwoVectors load_some(const typename Weight::Stored* w, std::int64_t count) {
  typename Weight::Stored some[16] = {};
  std::memcpy(some, w, static_cast<std::size_t>(count) * sizeof *w);
  return Weight::load(some);
}

OCTAVO_TARGET inline __m128i eight_halves(const std::uint16_t* w) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
}

struct Float32 {
  using Stored = float;
  OCTAVO_TARGET static TwoVectors load(const float* w) { return Lanes::load(w); }
  OCTAVO_TARGET static TwoVectors load(const float* w, std::int64_t count) { return load_some<Float32>(w, count); }
};

struct BFloat {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static __m256 widened(const std::uint16_t* w) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight_halves(w)), 16));
  }
  OCTAVO_TARGET static TwoVectors load(const std::uint16_t* w) { return {widened(w), widened(w + 8)}; }
  OCTAVO_TARGET static TwoVectors load(const std::uint16_t* w, std::int64_t count) {
    return load_some<BFloat>(w, count);
  }
};

struct Half {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static TwoVectors load(const std::uint16_t* w) {
    return {_mm256_cvtph_ps(eight_halves(w)), _mm256_cvtph_ps(eight_halves(w + 8))};
  }
  OCTAVO_TARGET static TwoVectors load(const std::uint16_t* w, std::int64_t count) { return load_some<Half>(w, count); }
};

struct Byte {
  using Stored = std::int8_t;
  OCTAVO_TARGET static __m256 widened(const std::int8_t* w) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(w))));
  }
  OCTAVO_TARGET static TwoVectors load(const std::int8_t* w) { return {widened(w), widened(w + 8)}; }
  OCTAVO_TARGET static TwoVectors load(const std::int8_t* w, std::int64_t count) { return load_some<Byte>(w, count); }
};

}  // namespace

void stream_rows_avx2(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  stream_any<Lanes, Float32, BFloat, Half, Byte>(p, first, count);
}

}  // namespace octavo::gemm
#else
#include "float_product.hpp"
namespace octavo::gemm {
void stream_rows_avx2(const FloatProduct&, std::int64_t, std::int64_t) {}
}  // namespace octavo::gemm
#endif
