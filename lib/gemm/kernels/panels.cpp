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

}  // namespace

OCTAVO_TARGET void pack_panel(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                              void* panel, std::uint8_t flip) {
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
  const auto* bytes = static_cast<const std::int8_t*>(from);
  auto* to = static_cast<std::int8_t*>(panel);
  const std::int64_t ahead = std::min<std::int64_t>(row_bytes, 512);
  for (std::int64_t k = 0; k < row_bytes; k += kStepBytes, to += kStepBytes * kPanelColumns) {
    const std::int64_t left = std::min(kStepBytes, row_bytes - k);
    const __mmask64 mask = left == kStepBytes ? ~0ULL : (1ULL << static_cast<unsigned>(left)) - 1;
    __m512i lines[16];
    for (std::int64_t r = 0; r < 16; ++r) {
      // Sixteen rows at once are more than processors foresee. What follows in K is wanted next, or in the next cut.
      _mm_prefetch(bytes + std::min(r, rows - 1) * row_stride + k + ahead, _MM_HINT_T1);
      lines[r] = r < rows ? _mm512_maskz_loadu_epi8(mask, bytes + r * row_stride + k) : _mm512_setzero_si512();
    }
    transpose(lines);
    for (int r = 0; r < 16; ++r) _mm512_store_si512(to + r * kStepBytes, _mm512_xor_si512(lines[r], flips));
  }
}

#else

void pack_panel(const void*, std::int64_t, std::int64_t, std::int64_t, void*, std::uint8_t) {}

#endif

void interleave_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                     std::uint8_t flip, void* strip) {
  if (rows == kInterleavedRows) return pack_panel(from, row_stride, rows, row_bytes, strip, flip);
  const std::uint32_t flips = flip * 0x01010101U;
  const std::int64_t whole = row_bytes / 4;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::byte* bytes = static_cast<const std::byte*>(from) + r * row_stride;
    std::byte* to = static_cast<std::byte*>(strip) + 4 * r;
    for (std::int64_t w = 0; w < steps_of(row_bytes) * 16; ++w) {
      std::uint32_t word = 0;
      if (w <= whole)
        std::memcpy(&word, bytes + 4 * w, static_cast<std::size_t>(w < whole ? 4 : row_bytes - 4 * whole));
      word ^= flips;
      std::memcpy(to + 4 * w * rows, &word, sizeof word);
    }
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
