#include "bf16.hpp"

#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include "kernels.hpp"

namespace octavo::attention_kernels {

namespace {

// Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 keys or values; all are 16 rows of 64 bytes.
void start() {
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, unused[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  } shape;
  for (int i = 0; i < 8; ++i) {
    shape.row_bytes[i] = 64;
    shape.rows[i] = 16;
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(shape));  // GCC's intrinsic does not say that it reads all of it
}

void stop() { _tile_release(); }

__m256i rounded(__m512 v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }

void round(const float* from, std::int64_t count, float scale, std::uint16_t* to) {
  const __m512 factor = _mm512_set1_ps(scale);
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), rounded(_mm512_mul_ps(factor, _mm512_loadu_ps(from + i))));
  if (i == count) return;
  const auto rest = static_cast<__mmask16>((1U << static_cast<unsigned>(count - i)) - 1U);
  _mm256_mask_storeu_epi16(to + i, rest, rounded(_mm512_mul_ps(factor, _mm512_maskz_loadu_ps(rest, from + i))));
}

// Words of 32 bits, 16 x 16: row i of the result holds word i of each v.
void transpose(__m512i (&v)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // v[4 a + b] holds in quarter q the words 4 q + b of rows 4 a to 4 a + 3.
  for (int b = 0; b < 4; ++b) {
    t[b] = _mm512_shuffle_i32x4(v[b], v[4 + b], 0x88);           // quarters 0 and 2
    t[4 + b] = _mm512_shuffle_i32x4(v[b], v[4 + b], 0xDD);       // 1 and 3
    t[8 + b] = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0x88);  // 0 and 2
    t[12 + b] = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0xDD);
  }
  for (int b = 0; b < 4; ++b) {
    v[b] = _mm512_shuffle_i32x4(t[b], t[8 + b], 0x88);
    v[8 + b] = _mm512_shuffle_i32x4(t[b], t[8 + b], 0xDD);
    v[4 + b] = _mm512_shuffle_i32x4(t[4 + b], t[12 + b], 0x88);
    v[12 + b] = _mm512_shuffle_i32x4(t[4 + b], t[12 + b], 0xDD);
  }
}

// [panel of 16 keys][32 columns][pair of columns][key][2]
void pack_keys(const float* rows, std::int64_t stride, std::int64_t keys, std::int64_t width, std::uint16_t* to) {
  for (std::int64_t first = 0; first < keys; first += 16)
    for (std::int64_t c = 0; c < width; c += kBf16Depth, to += 512) {
      __m512i v[16];
      for (int i = 0; i < 16; ++i) {
        const float* row = rows + (first + i) * stride + c;
        v[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(row + 16), _mm512_loadu_ps(row)));
      }
      transpose(v);
      for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + 32 * i, v[i]);
    }
}

// [panel of 16 columns][32 keys][pair of keys][column][2]
void pack_values(const float* rows, std::int64_t stride, std::int64_t keys, std::int64_t padded_width,
                 std::uint16_t* to) {
  for (std::int64_t c = 0; c < padded_width; c += 16)
    for (std::int64_t j = 0; j < keys; j += 2, to += 32) {
      const float* row = rows + j * stride + c;
      const __m512i even = _mm512_cvtepu16_epi32(rounded(_mm512_loadu_ps(row)));
      const __m512i odd = _mm512_cvtepu16_epi32(rounded(_mm512_loadu_ps(row + stride)));
      _mm512_storeu_si512(to, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
}

// c[16 or 32, 16 or 32] (+)= a b over `steps` steps of kBf16Depth; b's second panel is b_panel behind the first.
template <bool kTwoRows, bool kTwoPanels, bool kAdd>
void product(const std::uint16_t* a, std::int64_t a_stride, const std::uint16_t* b, std::int64_t b_panel,
             std::int64_t steps, float* c, std::int64_t c_stride) {
  const std::int64_t a_bytes = a_stride * 2, c_bytes = c_stride * 4;
  if constexpr (kAdd) {
    _tile_loadd(0, c, c_bytes);
    if constexpr (kTwoPanels) _tile_loadd(1, c + 16, c_bytes);
    if constexpr (kTwoRows) _tile_loadd(2, c + 16 * c_stride, c_bytes);
    if constexpr (kTwoRows && kTwoPanels) _tile_loadd(3, c + 16 * c_stride + 16, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::int64_t step = 0; step < steps; ++step, a += kBf16Depth, b += 512) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, a_bytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoPanels) {
      _tile_loadd(7, b + b_panel, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoRows) {
      _tile_loadd(5, a + 16 * a_stride, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (kTwoRows && kTwoPanels) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_bytes);
  if constexpr (kTwoPanels) _tile_stored(1, c + 16, c_bytes);
  if constexpr (kTwoRows) _tile_stored(2, c + 16 * c_stride, c_bytes);
  if constexpr (kTwoRows && kTwoPanels) _tile_stored(3, c + 16 * c_stride + 16, c_bytes);
}

template <bool kAdd>
void panels(const std::uint16_t* a, std::int64_t a_stride, std::int64_t rows, const std::uint16_t* b,
            std::int64_t b_panel, std::int64_t steps, float* c, std::int64_t c_stride, std::int64_t columns) {
  std::int64_t j = 0;
  for (; j + 32 <= columns; j += 32, b += 2 * b_panel)
    if (rows > 16)
      product<true, true, kAdd>(a, a_stride, b, b_panel, steps, c + j, c_stride);
    else
      product<false, true, kAdd>(a, a_stride, b, b_panel, steps, c + j, c_stride);
  if (j == columns) return;
  if (rows > 16)
    product<true, false, kAdd>(a, a_stride, b, b_panel, steps, c + j, c_stride);
  else
    product<false, false, kAdd>(a, a_stride, b, b_panel, steps, c + j, c_stride);
}

void scores(const std::uint16_t* q, std::int64_t rows, const std::uint16_t* keys, std::int64_t padded_keys,
            std::int64_t width, float* out) {
  panels<false>(q, width, rows, keys, 16 * width, width / kBf16Depth, out, kKeyBlock, padded_keys);
}

void accumulate(const std::uint16_t* weights, std::int64_t rows, std::int64_t padded_keys, const std::uint16_t* values,
                std::int64_t packed_keys, std::int64_t padded_width, float* out) {
  panels<true>(weights, kKeyBlock, rows, values, 16 * packed_keys, padded_keys / kBf16Depth, out, padded_width,
               padded_width);
}

constexpr Bf16Kernels kTable{start, stop, round, pack_keys, pack_values, scores, accumulate};

}  // namespace

const Bf16Kernels* amx_kernels() noexcept { return &kTable; }

}  // namespace octavo::attention_kernels

#else

namespace octavo::attention_kernels {
const Bf16Kernels* amx_kernels() noexcept { return nullptr; }
}  // namespace octavo::attention_kernels

#endif
