#include "panels.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "cpu.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

// 16 x 16 words, rows become columns: words, pairs and quarters are interleaved in turn.
OCTAVO_TARGET inline void transpose(__m512i* rows) {
  __m512i pairs[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i quads[16];
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm512_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
      quads[i + 2 * j + 1] = _mm512_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
    }
  for (int j = 0; j < 4; ++j) {
    const __m512i low01 = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0x88);
    const __m512i high01 = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0x88);
    const __m512i high23 = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0xdd);
    rows[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    rows[4 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    rows[8 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    rows[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

// lines[16] = 64 bytes from k of up to 16 rows, as columns of words; what lies beyond rows and row_bytes is 0.
OCTAVO_TARGET inline void columns_of(const std::int8_t* bytes, std::int64_t row_stride, std::int64_t rows,
                                     std::int64_t row_bytes, std::int64_t k, std::uint8_t flip, __m512i* lines) {
  const std::int64_t ahead = std::min<std::int64_t>(row_bytes, 512);
  const std::int64_t left = std::min(kStepBytes, row_bytes - k);
  const __mmask64 mask = left == kStepBytes ? ~0ULL : (1ULL << static_cast<unsigned>(left)) - 1;
  for (std::int64_t r = 0; r < 16; ++r) {
    // Sixteen rows at once are more than processors foresee. What follows in K is wanted next, or in the next cut.
    _mm_prefetch(bytes + std::min(r, rows - 1) * row_stride + k + ahead, _MM_HINT_T1);
    lines[r] = r < rows ? _mm512_maskz_loadu_epi8(mask, bytes + r * row_stride + k) : _mm512_setzero_si512();
  }
  transpose(lines);
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
  for (int r = 0; r < 16; ++r) lines[r] = _mm512_xor_si512(lines[r], flips);
}

OCTAVO_TARGET void pack_panel_avx512(const void* from, std::int64_t row_stride, std::int64_t rows,
                                     std::int64_t row_bytes, void* panel, std::uint8_t flip) {
  auto* to = static_cast<std::int8_t*>(panel);
  for (std::int64_t k = 0; k < row_bytes; k += kStepBytes, to += kStepBytes * kPanelColumns) {
    __m512i lines[16];
    columns_of(static_cast<const std::int8_t*>(from), row_stride, rows, row_bytes, k, flip, lines);
    for (int r = 0; r < 16; ++r) _mm512_store_si512(to + r * kStepBytes, lines[r]);
  }
}

OCTAVO_TARGET void interleave_rows_avx512(const void* from, std::int64_t row_stride, std::int64_t rows,
                                          std::int64_t row_bytes, std::uint8_t flip, void* strip) {
  auto* to = static_cast<std::int32_t*>(strip);
  const auto kept = static_cast<__mmask16>((1U << static_cast<unsigned>(rows)) - 1);
  for (std::int64_t k = 0; k < row_bytes; k += kStepBytes) {
    __m512i lines[16];
    columns_of(static_cast<const std::int8_t*>(from), row_stride, rows, row_bytes, k, flip, lines);
    for (int r = 0; r < 16; ++r, to += rows) _mm512_mask_storeu_epi32(to, kept, lines[r]);
  }
}

}  // namespace

#endif

namespace {

#ifdef OCTAVO_X86
// Four words of four rows: rows become columns. SSE2, which every x86-64 has.
inline void turn_four(const std::byte* from, std::int64_t row_stride, __m128i flips, std::byte* to,
                      std::int64_t line_stride) {
  __m128i rows[4];
  for (std::int64_t r = 0; r < 4; ++r)
    rows[r] = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + r * row_stride)), flips);
  const __m128i low01 = _mm_unpacklo_epi32(rows[0], rows[1]), high01 = _mm_unpackhi_epi32(rows[0], rows[1]);
  const __m128i low23 = _mm_unpacklo_epi32(rows[2], rows[3]), high23 = _mm_unpackhi_epi32(rows[2], rows[3]);
  const __m128i lines[4] = {_mm_unpacklo_epi64(low01, low23), _mm_unpackhi_epi64(low01, low23),
                            _mm_unpacklo_epi64(high01, high23), _mm_unpackhi_epi64(high01, high23)};
  for (std::int64_t i = 0; i < 4; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * line_stride), lines[i]);
}

// Four words of a row, as int16, the even values of each before the odd ones.
inline void widen_four(const std::int8_t* from, std::int16_t* to, std::int64_t stride) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const auto turned = [](__m128i doubled) {  // each byte twice
    const __m128i wide = _mm_srai_epi16(doubled, 8);
    return _mm_shufflehi_epi16(_mm_shufflelo_epi16(wide, _MM_SHUFFLE(3, 1, 2, 0)), _MM_SHUFFLE(3, 1, 2, 0));
  };
  const __m128i pairs[2] = {turned(_mm_unpacklo_epi8(bytes, bytes)), turned(_mm_unpackhi_epi8(bytes, bytes))};
  for (std::int64_t i = 0; i < 2; ++i, to += 2 * stride) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), pairs[i]);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + stride), _mm_unpackhi_epi64(pairs[i], pairs[i]));
  }
}
#endif

// The words of `rows` rows, [words][together], K rounded up to whole steps by zeros; then xored with `flips`.
void words_of_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                   std::int64_t together, std::uint32_t flips, void* to) {
  const auto* bytes = static_cast<const std::byte*>(from);
  auto* words = static_cast<std::byte*>(to);
  const std::int64_t all = steps_of(row_bytes) * kStepBytes / 4, line = 4 * together;
  std::int64_t turned_rows = 0, turned_words = 0;
#ifdef OCTAVO_X86
  turned_rows = rows / 4 * 4;
  turned_words = row_bytes / 16 * 4;
  const __m128i flip = _mm_set1_epi32(static_cast<int>(flips));
  for (std::int64_t i = 0; i < turned_words; i += 4)
    for (std::int64_t r = 0; r < turned_rows; r += 4)
      turn_four(bytes + r * row_stride + 4 * i, row_stride, flip, words + i * line + 4 * r, line);
#endif
  for (std::int64_t i = 0; i < all; ++i)
    for (std::int64_t r = i < turned_words ? turned_rows : 0; r < together; ++r) {
      std::uint32_t word = 0;
      if (const std::int64_t left = row_bytes - 4 * i; r < rows && left >= 4)
        std::memcpy(&word, bytes + r * row_stride + 4 * i, 4);
      else if (r < rows && left > 0)
        std::memcpy(&word, bytes + r * row_stride + 4 * i, static_cast<std::size_t>(left));
      word ^= flips;
      std::memcpy(words + i * line + 4 * r, &word, 4);
    }
}

constexpr std::uint32_t kEveryByte = 0x01010101U;

}  // namespace

void pack_panel_plain(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* panel,
                      std::uint8_t flip) {
  words_of_rows(from, row_stride, rows, row_bytes, kPanelColumns, flip * kEveryByte, panel);
}

void interleave_rows_plain(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                           std::uint8_t flip, void* strip) {
  words_of_rows(from, row_stride, rows, row_bytes, rows, flip * kEveryByte, strip);
}

void pack_panel(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* panel,
                std::uint8_t flip) {
#ifdef OCTAVO_X86
  if (has_avx512()) return pack_panel_avx512(from, row_stride, rows, row_bytes, panel, flip);
#endif
  pack_panel_plain(from, row_stride, rows, row_bytes, panel, flip);
}

void interleave_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                     std::uint8_t flip, void* strip) {
#ifdef OCTAVO_X86
  if (has_avx512()) return interleave_rows_avx512(from, row_stride, rows, row_bytes, flip, strip);
#endif
  interleave_rows_plain(from, row_stride, rows, row_bytes, flip, strip);
}

void interleave_wide_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                          void* strip) {
  auto* words = static_cast<std::int16_t*>(strip);
  const std::int64_t all = steps_of(row_bytes) * kStepBytes / 4, apart = 4 * rows;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int8_t* row = static_cast<const std::int8_t*>(from) + r * row_stride;
    std::int16_t* to = words + 4 * r;
    std::int64_t i = 0;
#ifdef OCTAVO_X86
    for (; 4 * i + 16 <= row_bytes; i += 4, to += 4 * apart) widen_four(row + 4 * i, to, apart);
#endif
    for (; i < all; ++i, to += apart)
      for (std::int64_t value = 0; value < 4; ++value)
        to[value % 2 * 2 + value / 2] = 4 * i + value < row_bytes ? row[4 * i + value] : std::int16_t{0};
  }
}

void lines_of_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* lines) {
  const std::int64_t whole = row_bytes / kStepBytes;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::byte* row = static_cast<const std::byte*>(from) + r * row_stride;
    std::byte* to = static_cast<std::byte*>(lines) + r * kStepBytes;
    for (std::int64_t step = 0; step < whole; ++step)
      std::memcpy(to + step * rows * kStepBytes, row + step * kStepBytes, kStepBytes);
    if (const std::int64_t rest = row_bytes - whole * kStepBytes; rest > 0) {
      std::memcpy(to + whole * rows * kStepBytes, row + whole * kStepBytes, static_cast<std::size_t>(rest));
      std::memset(to + whole * rows * kStepBytes + rest, 0, static_cast<std::size_t>(kStepBytes - rest));
    }
  }
}

}  // namespace octavo::gemm
