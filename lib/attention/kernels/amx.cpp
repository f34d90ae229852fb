#include "amx.hpp"

#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512DQ__)
#include "avx512.hpp"
#include "kernels.hpp"
#include "octavo/detail/exp.hpp"

namespace octavo::attention_kernels {

namespace {

constexpr std::int64_t kTile = 512;  // bf16 of a tile: 16 rows of 64 bytes

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

// The first `count` of 16 floats, at least 0; the others are 0 and not read.
__m512 load_some(const float* from, std::int64_t count) {
  if (count >= 16) return _mm512_loadu_ps(from);
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(count <= 0 ? 0 : (1U << static_cast<unsigned>(count)) - 1U),
                               from);
}

// The upper halves of words, a's and b's in turns.
__m512i upper_halves(__m512i a, __m512i b) { return _mm512_mask_blend_epi16(0xAAAAAAAAU, _mm512_srli_epi32(a, 16), b); }

__m512i bits(__m512 v) { return _mm512_castps_si512(v); }

// Cuts off a part: returns it as float and leaves the rest in v.
__m512 cut(__m512& v) {
  const __m512 part = _mm512_castsi512_ps(_mm512_and_si512(bits(v), _mm512_set1_epi32(-0x10000)));
  v = _mm512_sub_ps(v, part);
  return part;
}

// The parts of a and b, each in the order a0, b0, a1, b1, ... a15, b15.
template <int kParts>
void split(__m512 a, __m512 b, __m512i (&parts)[kParts]) {
  if constexpr (kParts == 1) {
    const __m512i even = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(a)));
    const __m512i odd = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(b)));
    parts[0] = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
  } else {
    static_assert(kParts == 3);
    const __m512 a0 = cut(a), b0 = cut(b);
    const __m512 a1 = cut(a), b1 = cut(b);
    parts[0] = upper_halves(bits(a0), bits(b0));
    parts[1] = upper_halves(bits(a1), bits(b1));
    parts[2] = upper_halves(bits(a), bits(b));
  }
}

// The same of weights, which are not negative: rounding adds half of the last place and cuts off the rest. a and b
// become what their parts are together.
template <int kParts>
void split_weights(__m512& a, __m512& b, __m512i (&parts)[kParts]) {
  if constexpr (kParts == 1) {
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(-0x10000);
    const __m512i even = _mm512_and_si512(_mm512_add_epi32(bits(a), half), upper);
    const __m512i odd = _mm512_and_si512(_mm512_add_epi32(bits(b), half), upper);
    parts[0] = upper_halves(even, odd);
    a = _mm512_castsi512_ps(even);
    b = _mm512_castsi512_ps(odd);
  } else {
    split(a, b, parts);
  }
}

template <int kParts>
void pack_query(const float* from, std::int64_t width, float scale, std::int64_t row, std::uint16_t* tile) {
  const std::int64_t depth = (width + kAmxDepth - 1) / kAmxDepth * kAmxDepth;
  const __m512 factor = _mm512_set1_ps(scale);
  for (std::int64_t c = 0; c < width; c += kAmxDepth) {
    __m512i parts[kParts];
    split<kParts>(_mm512_mul_ps(factor, load_some(from + c, width - c)),
                  _mm512_mul_ps(factor, load_some(from + c + 16, width - c - 16)), parts);
    for (int p = 0; p < kParts; ++p) _mm512_storeu_si512(tile + (p * kAmxRows + row) * depth + c, parts[p]);
  }
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

// 0 while everything that was added is finite, else NaN.
class Finite {
 public:
  void add(__m512 v) { sum_ = _mm512_fmadd_ps(v, _mm512_setzero_ps(), sum_); }
  bool all() const { return _mm512_cmp_ps_mask(sum_, _mm512_setzero_ps(), _CMP_EQ_OQ) == 0xFFFF; }

 private:
  __m512 sum_ = _mm512_setzero_ps();
};

template <int kParts>
bool pack_keys(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, std::uint16_t* to) {
  Finite finite;
  const std::int64_t padded_count = (count + 31) / 32 * 32;
  for (std::int64_t first = 0; first < padded_count; first += 16)
    for (std::int64_t c = 0; c < width; c += kAmxDepth, to += kParts * kTile) {
      __m512i v[kParts][16];
      for (std::int64_t i = 0; i < 16; ++i) {
        const bool there = first + i < count;
        const float* row = rows + (there ? first + i : 0) * stride + c;
        const __m512 a = load_some(row, there ? width - c : 0);
        const __m512 b = load_some(row + 16, there ? width - c - 16 : 0);
        finite.add(a);
        finite.add(b);
        __m512i parts[kParts];
        split<kParts>(a, b, parts);
        for (int p = 0; p < kParts; ++p) v[p][i] = parts[p];
      }
      for (int p = 0; p < kParts; ++p) {
        transpose(v[p]);
        for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + p * kTile + 32 * i, v[p][i]);
      }
    }
  return finite.all();
}

template <int kParts>
bool pack_values(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, std::uint16_t* to) {
  Finite finite;
  for (std::int64_t c = 0; c < width; c += 16)
    for (std::int64_t j = 0; j < count; j += 32, to += kParts * kTile)
      for (std::int64_t pair = 0; pair < 16; ++pair) {
        const auto load = [&](std::int64_t key) {
          return load_some(rows + (key < count ? key : 0) * stride + c, key < count ? width - c : 0);
        };
        const __m512 a = load(j + pair), b = load(j + 16 + pair);
        finite.add(a);
        finite.add(b);
        __m512i parts[kParts];
        split<kParts>(a, b, parts);
        for (int p = 0; p < kParts; ++p) _mm512_storeu_si512(to + p * kTile + 32 * pair, parts[p]);
      }
  return finite.all();
}

// c[16 or 32, 32] (+)= a b over `steps` steps of kAmxDepth. Parts of a are a_part apart; b's second panel is b_panel
// behind the first.
template <int kParts, bool kTwoRows, bool kTwoPanels, bool kAdd>
void product(const std::uint16_t* a, std::int64_t a_part, std::int64_t a_stride, const std::uint16_t* b,
             std::int64_t b_panel, std::int64_t steps, float* c, std::int64_t c_stride) {
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
  for (std::int64_t step = 0; step < steps; ++step, a += kAmxDepth)
#pragma GCC unroll 3
    for (int q = 0; q < kParts; ++q, b += kTile) {
      _tile_loadd(6, b, 64);
      if constexpr (kTwoPanels) _tile_loadd(7, b + b_panel, 64);
#pragma GCC unroll 3
      for (int p = 0; p + q < kParts; ++p) {
        _tile_loadd(4, a + p * a_part, a_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (kTwoPanels) _tile_dpbf16ps(1, 4, 7);
        if constexpr (kTwoRows) {
          _tile_loadd(5, a + p * a_part + 16 * a_stride, a_bytes);
          _tile_dpbf16ps(2, 5, 6);
          if constexpr (kTwoPanels) _tile_dpbf16ps(3, 5, 7);
        }
      }
    }
  _tile_stored(0, c, c_bytes);
  if constexpr (kTwoPanels) _tile_stored(1, c + 16, c_bytes);
  if constexpr (kTwoRows) _tile_stored(2, c + 16 * c_stride, c_bytes);
  if constexpr (kTwoRows && kTwoPanels) _tile_stored(3, c + 16 * c_stride + 16, c_bytes);
}

template <int kParts, bool kAdd>
void panels(const std::uint16_t* a, std::int64_t a_stride, std::int64_t rows, const std::uint16_t* b,
            std::int64_t b_panel, std::int64_t steps, float* c, std::int64_t c_stride, std::int64_t columns) {
  const std::int64_t a_part = kAmxRows * a_stride;
  std::int64_t j = 0;
  for (; j + 32 <= columns; j += 32, b += 2 * b_panel)
    if (rows > 16)
      product<kParts, true, true, kAdd>(a, a_part, a_stride, b, b_panel, steps, c + j, c_stride);
    else
      product<kParts, false, true, kAdd>(a, a_part, a_stride, b, b_panel, steps, c + j, c_stride);
  if (j == columns) return;
  if (rows > 16)
    product<kParts, true, false, kAdd>(a, a_part, a_stride, b, b_panel, steps, c + j, c_stride);
  else
    product<kParts, false, false, kAdd>(a, a_part, a_stride, b, b_panel, steps, c + j, c_stride);
}

template <int kParts>
void scores(const std::uint16_t* q, std::int64_t rows, const std::uint16_t* keys, std::int64_t padded_keys,
            std::int64_t depth, float* out) {
  const std::int64_t steps = depth / kAmxDepth;
  panels<kParts, false>(q, depth, rows, keys, steps * kParts * kTile, steps, out, kKeyBlock, padded_keys);
}

template <int kParts>
void accumulate(const std::uint16_t* weights, std::int64_t count, std::int64_t padded_keys, const std::uint16_t* values,
                std::int64_t packed_keys, std::int64_t padded_width, const float* factor, float* out) {
  for (std::int64_t r = 0; r < count; ++r) {
    if (factor[r] == 1) continue;
    float* row = out + r * padded_width;
    for (std::int64_t c = 0; c < padded_width; c += 16)
      _mm512_storeu_ps(row + c, _mm512_mul_ps(_mm512_set1_ps(factor[r]), _mm512_loadu_ps(row + c)));
  }
  panels<kParts, true>(weights, kKeyBlock, count, values, packed_keys / kAmxDepth * kParts * kTile,
                       padded_keys / kAmxDepth, out, padded_width, padded_width);
}

// Lane r of the result is `combine` over all lanes of row r.
template <class Combine>
__m512 reduce_rows(const float (&rows)[16][16], const Combine& combine) {
  __m512 v[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) v[i] = _mm512_load_ps(rows[i]);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    v[i] = combine(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(v[2 * i]), b = _mm512_castps_pd(v[2 * i + 1]);
    v[i] = combine(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
#pragma GCC unroll 2
  for (int width = 2; width > 0; width /= 2)
#pragma GCC unroll 2
    for (int i = 0; i < width; ++i)
      v[i] = combine(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x88),
                     _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xDD));
  return v[0];
}

// exp of numbers up to kOutgrown: the library's own, or, for weights that are rounded to bf16, 2^floor(t) p(t -
// floor(t)), t = x log2 e. p, of degree 3, is fitted to the least largest relative error over [0, 1) with p(0) = 1:
// 2^-13.5, a twentieth of what rounding to bf16 makes. 0 below -126 ln 2, NaN for NaN.
template <int kParts>
__m512 exponential(__m512 x) {
  if constexpr (kParts == 3) {
    return detail::exponential<Avx512>(x);
  } else {
    const __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504F));
    const __m512 rest = _mm512_reduce_ps(t, 0x09);  // rounded down, no exceptions; 0 for infinity
    __m512 p = _mm512_fmadd_ps(rest, _mm512_set1_ps(0x1.3baadcp-4F), _mm512_set1_ps(0x1.d23788p-3F));
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(0x1.63e654p-1F));
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(1));
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, _mm512_set1_ps(-126), _CMP_NLT_UQ), p, t);
  }
}

// Scores of keys that a row does not see.
void hide(float* row, std::int64_t visible, std::int64_t padded_keys) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::int64_t j = visible / 16 * 16; j < padded_keys; j += 16)
    _mm512_mask_storeu_ps(row + j, _mm512_cmpge_epi32_mask(lanes, _mm512_set1_epi32(static_cast<int>(visible - j))),
                          _mm512_set1_ps(-__builtin_inff()));
}

// 16 rows of a tile, or the first `count` of them.
template <int kParts>
void softmax_rows(float* all_scores, std::int64_t count, const std::int64_t* visible, std::int64_t padded_keys,
                  float* largest, float* sum, float* factor, std::uint16_t* weights) {
  const __m512 minus_infinity = _mm512_set1_ps(-__builtin_inff());
  alignas(64) float lanes[16][16] = {};
  alignas(64) float reference[16];
  for (std::int64_t r = 0; r < count; ++r) {
    float* row = all_scores + r * kKeyBlock;
    if (visible[r] < padded_keys) hide(row, visible[r], padded_keys);
    __m512 a = minus_infinity, b = minus_infinity;
    for (std::int64_t j = 0; j < padded_keys; j += 32) {  // the second operand for NaN
      a = _mm512_max_ps(_mm512_loadu_ps(row + j), a);
      b = _mm512_max_ps(_mm512_loadu_ps(row + j + 16), b);
    }
    _mm512_store_ps(lanes[r], _mm512_max_ps(a, b));
  }
  const auto rows = static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
  const __m512 most = reduce_rows(lanes, [](__m512 a, __m512 b) { return _mm512_max_ps(a, b); });
  const __m512 before = _mm512_mask_loadu_ps(minus_infinity, rows, largest);
  const __mmask16 outgrown = _mm512_cmp_ps_mask(most, _mm512_add_ps(before, _mm512_set1_ps(kOutgrown)), _CMP_GT_OQ);
  const __m512 now = _mm512_mask_blend_ps(outgrown, before, most);
  // Nothing seen yet: all weights 0, NaN stays.
  const __m512 from = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(now, minus_infinity, _CMP_NEQ_UQ), now);
  const __m512 change = detail::exponential<Avx512>(_mm512_sub_ps(before, from));
  _mm512_store_ps(reference, from);
  _mm512_mask_storeu_ps(largest, rows, now);
  _mm512_mask_storeu_ps(factor, rows, change);

  for (std::int64_t r = 0; r < count; ++r) {
    const float* row = all_scores + r * kKeyBlock;
    const __m512 less = _mm512_set1_ps(reference[r]);
    __m512 even = _mm512_setzero_ps(), odd = even;
    for (std::int64_t j = 0; j < padded_keys; j += 32) {
      __m512 a = exponential<kParts>(_mm512_sub_ps(_mm512_loadu_ps(row + j), less));
      __m512 b = exponential<kParts>(_mm512_sub_ps(_mm512_loadu_ps(row + j + 16), less));
      __m512i parts[kParts];
      split_weights<kParts>(a, b, parts);
      even = _mm512_add_ps(even, a);
      odd = _mm512_add_ps(odd, b);
#pragma GCC unroll 3
      for (int p = 0; p < kParts; ++p) _mm512_storeu_si512(weights + (p * kAmxRows + r) * kKeyBlock + j, parts[p]);
    }
    _mm512_store_ps(lanes[r], _mm512_add_ps(even, odd));
  }
  const __m512 added = reduce_rows(lanes, [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); });
  _mm512_mask_storeu_ps(sum, rows, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rows, sum), change, added));
}

template <int kParts>
void softmax(float* all_scores, std::int64_t count, const std::int64_t* visible, std::int64_t padded_keys,
             float* largest, float* sum, float* factor, std::uint16_t* weights) {
  for (std::int64_t r = 0; r < count; r += 16)
    softmax_rows<kParts>(all_scores + r * kKeyBlock, count - r < 16 ? count - r : 16, visible + r, padded_keys,
                         largest + r, sum + r, factor + r, weights + r * kKeyBlock);
}

template <int kParts>
constexpr AmxKernels kTable{kParts,
                            start,
                            stop,
                            pack_query<kParts>,
                            pack_keys<kParts>,
                            pack_values<kParts>,
                            scores<kParts>,
                            softmax<kParts>,
                            accumulate<kParts>};

}  // namespace

const AmxKernels* amx_exact() noexcept { return &kTable<3>; }
const AmxKernels* amx_rounded() noexcept { return &kTable<1>; }

}  // namespace octavo::attention_kernels

#else

namespace octavo::attention_kernels {
const AmxKernels* amx_exact() noexcept { return nullptr; }
const AmxKernels* amx_rounded() noexcept { return nullptr; }
}  // namespace octavo::attention_kernels

#endif
