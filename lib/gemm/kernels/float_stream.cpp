// Few rows of float32 by weights as stored: the weights are read once, widened in registers, and memory is the limit.
#include <algorithm>

#include "cpu.hpp"
#include "float_product.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

// Sixteen weights, widened exactly; those that the mask leaves out are 0 and not read.
struct Float32 {
  using Stored = float;
  OCTAVO_TARGET static __m512 load(const float* w) { return _mm512_loadu_ps(w); }
  OCTAVO_TARGET static __m512 load(const float* w, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, w); }
};

struct BFloat {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static __m512 widened(__m256i w) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(w), 16));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w) {
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w, __mmask16 mask) {
    return widened(_mm256_maskz_loadu_epi16(mask, w));
  }
};

struct Half {
  using Stored = std::uint16_t;
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  OCTAVO_TARGET static __m512 load(const std::uint16_t* w, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, w));
  }
};

struct Byte {
  using Stored = std::int8_t;
  OCTAVO_TARGET static __m512 load(const std::int8_t* w) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w))));
  }
  OCTAVO_TARGET static __m512 load(const std::int8_t* w, __mmask16 mask) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, w)));
  }
};

// `rows` rows of x by `columns` rows of the weight, or by `count` of them: then the others repeat the last. Each result
// is the sum of sixteen sums, of every sixteenth term, whatever the rows and columns: a row has the same bits alone and
// among others, and by packed weights (float_stream_panels.cpp).
template <class Weight, int rows, int columns>
OCTAVO_TARGET void tile(const float* x, const typename Weight::Stored* weight, std::int64_t k, std::int64_t count,
                        float* y, std::int64_t y_stride) {
  const typename Weight::Stored* w[columns];
  for (std::int64_t j = 0; j < columns; ++j) w[j] = weight + std::min(j, count - 1) * k;
  __m512 sums[rows][columns];
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j) sums[r][j] = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < k; i += 16) {
    // The next rows, a few hundred nanoseconds ahead: rows are shorter than what the processor takes to see a stream.
    if (i % 32 == 0)
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j)
        _mm_prefetch(reinterpret_cast<const char*>(w[j] + columns * k + i), _MM_HINT_T0);
    __m512 wide[columns];
    if (i + 16 <= k) {
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j) wide[j] = Weight::load(w[j] + i);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) {
        const __m512 values = _mm512_loadu_ps(x + r * k + i);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j) sums[r][j] = _mm512_fmadd_ps(values, wide[j], sums[r][j]);
      }
    } else {
      const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(k - i)) - 1);
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j) wide[j] = Weight::load(w[j] + i, mask);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) {
        const __m512 values = _mm512_maskz_loadu_ps(mask, x + r * k + i);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j) sums[r][j] = _mm512_fmadd_ps(values, wide[j], sums[r][j]);
      }
    }
  }
  // Halves are added to each other, for four columns at a time.
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int first = 0; first < columns; first += 4) {
      __m256 halves[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j)
        halves[j] =
            _mm256_add_ps(_mm512_castps512_ps256(sums[r][first + j]), _mm512_extractf32x8_ps(sums[r][first + j], 1));
      const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(halves[0], halves[1]), _mm256_hadd_ps(halves[2], halves[3]));
      const __m128 four = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
      const auto left = static_cast<unsigned>(std::clamp<std::int64_t>(count - first, 0, 4));
      _mm_mask_storeu_ps(y + r * y_stride + first, static_cast<__mmask8>((1U << left) - 1), four);
    }
}

// Columns of one row are so many that their sums hide the latency of the instruction.
template <class Weight>
void tiles(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  using Tile = void (*)(const float*, const typename Weight::Stored*, std::int64_t, std::int64_t, float*, std::int64_t);
  static constexpr std::int64_t kRows = 3;  // whose sums fit the registers
  static constexpr std::int64_t kColumns = 8;
  static constexpr Tile kTiles[kRows + 1] = {nullptr, tile<Weight, 1, 8>, tile<Weight, 2, 4>, tile<Weight, 3, 4>};
  const auto* weight = static_cast<const typename Weight::Stored*>(p.weight);
  for (std::int64_t j = first; j < first + count; j += kColumns)  // stay near for all rows of x
    for (std::int64_t row = 0; row < p.m; row += kRows) {
      const std::int64_t rows = std::min(kRows, p.m - row);
      const std::int64_t columns = rows == 1 ? kColumns : kColumns / 2;
      for (std::int64_t i = j; i < std::min(first + count, j + kColumns); i += columns)
        kTiles[rows](p.x + row * p.k, weight + i * p.k, p.k, std::min(columns, first + count - i), p.y + row * p.n + i,
                     p.n);
    }
}

}  // namespace

void stream_rows_avx512(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  if (p.dtype == DType::f32) return tiles<Float32>(p, first, count);
  if (p.dtype == DType::bf16) return tiles<BFloat>(p, first, count);
  if (p.dtype == DType::f16) return tiles<Half>(p, first, count);
  tiles<Byte>(p, first, count);
}

#else

void stream_rows_avx512(const FloatProduct&, std::int64_t, std::int64_t) {}

#endif

}  // namespace octavo::gemm
