// Products of words of 32 bits on 512-bit registers: up to 12 rows by two panels, for the instruction of the file that
// includes this. Before that, it defines OCTAVO_TARGET; its Step has Sum (a register of 16 sums), zero(), load(words),
// store(words, sum), broadcast(word), add(sum, x, w) (the instruction) and plus(sum, sum).
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu.hpp"
#include "panels.hpp"
#include "tile_work.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

namespace octavo::gemm {

namespace {

// rows' words interleaved; each panel [words][16]. out[rows][32] = sums, += where add.
struct WordTile {
  const std::byte* rows;
  const std::byte* left;
  const std::byte* right;  // the panel beside it, or null
  std::int64_t words;      // a multiple of 16
  bool streamed;           // once: what comes next is to be fetched meanwhile
  std::byte* out;
  const void* start;  // [32] words that the sums start from, or null for 0; unless add
  bool add;
};

constexpr std::int64_t kWordsAhead = 64;  // lines of a panel: 4 KiB, some 200 ns

// `apart` sums of each result are kept apart, where there are so few that the latency of the instruction would show.
template <class Step, int rows, int apart>
OCTAVO_TARGET void word_tile(const WordTile& t) {
  const std::byte* left = t.left;
  const std::byte* right = t.right != nullptr ? t.right : left;
  const std::byte* x_words = t.rows;
  constexpr int width = static_cast<int>(interleaved_width(rows));
  typename Step::Sum sums[apart][rows][2];  // in registers, if every loop over them is unrolled
#pragma GCC unroll 4
  for (int u = 0; u < apart; ++u)
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) sums[u][r][0] = sums[u][r][1] = Step::zero();
  // What is fetched lies further on in each panel, and near its end in the panel two further on, which follows.
  const std::int64_t ahead = !t.streamed ? 0 : t.words < kWordsAhead ? t.words : kWordsAhead;
  std::int64_t distance = 64 * ahead;
  std::int64_t word = 0;
  for (std::int64_t end = t.words - ahead; word < t.words; end = t.words, distance = 64 * (ahead + t.words))
    for (; word < end; word += apart) {
#pragma GCC unroll 4
      for (int u = 0; u < apart; ++u) {
        _mm_prefetch(left + 64 * u + distance, _MM_HINT_T1);
        _mm_prefetch(right + 64 * u + distance, _MM_HINT_T1);
        const typename Step::Sum w0 = Step::load(left + 64 * u);
        const typename Step::Sum w1 = Step::load(right + 64 * u);
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r) {
          const typename Step::Sum x = Step::broadcast(x_words + 4 * (u * width + r));
          Step::add(sums[u][r][0], x, w0);
          Step::add(sums[u][r][1], x, w1);
        }
      }
      left += 64 * apart;
      right += 64 * apart;
      x_words += 4 * width * apart;
    }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int u = 1; u < apart; ++u) {
      sums[0][r][0] = Step::plus(sums[0][r][0], sums[u][r][0]);
      sums[0][r][1] = Step::plus(sums[0][r][1], sums[u][r][1]);
    }
    std::byte* to = t.out + r * kSumBytes;
    const auto* from = t.add ? to : static_cast<const std::byte*>(t.start);
    const bool both = t.right != nullptr;
    if (from != nullptr) {
      sums[0][r][0] = Step::plus(sums[0][r][0], Step::load(from));
      if (both) sums[0][r][1] = Step::plus(sums[0][r][1], Step::load(from + 64));
    }
    Step::store(to, sums[0][r][0]);
    if (both) Step::store(to + 64, sums[0][r][1]);
  }
}

template <class Step>
void word_tile_of(std::int64_t rows, const WordTile& t) {
  using Tile = void (*)(const WordTile&);
  static constexpr Tile kTiles[kInterleavedRows + 1] = {
      nullptr,
      word_tile<Step, 1, 4>,
      word_tile<Step, 2, 4>,
      word_tile<Step, 3, 2>,
      word_tile<Step, 4, 2>,
      word_tile<Step, 5, 2>,
      word_tile<Step, 6, 1>,
      word_tile<Step, 7, 1>,
      word_tile<Step, 8, 1>,
      word_tile<Step, 9, 1>,
      word_tile<Step, 10, 1>,
      word_tile<Step, 11, 1>,
      word_tile<Step, 12, 1>,
  };
  kTiles[rows](t);
}

template <class Step>
void multiply_words(const TileWork& w) {
  for (std::int64_t panel = 0; panel < w.panel_count; panel += 2) {
    const std::byte* left = w.panels + panel * w.panel_stride;
    for (std::int64_t row = 0; row < w.row_count; row += kInterleavedRows) {
      const std::int64_t left_over = w.row_count - row;
      const std::int64_t rows = left_over < kInterleavedRows ? left_over : kInterleavedRows;
      word_tile_of<Step>(rows, {.rows = w.rows + row / kInterleavedRows * w.strip_stride +
                                        w.first_step * kStepBytes * interleaved_width(rows),
                                .left = left,
                                .right = panel + 1 < w.panel_count ? left + w.panel_stride : nullptr,
                                .words = w.steps * 16,
                                .streamed = w.row_count <= kInterleavedRows,
                                .out = w.sums + (panel / 2 * w.row_count + row) * kSumBytes,
                                .start = w.start == nullptr ? nullptr : w.start + panel * kPanelColumns,
                                .add = w.add});
    }
  }
}

}  // namespace

}  // namespace octavo::gemm
#endif
