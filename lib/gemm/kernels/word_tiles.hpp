// Products of words of 32 bits on 512-bit registers: one row by four panels, up to 12 by two, for the instruction of
// the file that includes this. Before that, it defines OCTAVO_TARGET; its Step has Sum (a register of 16 sums), zero(),
// load(words), store(words, sum), broadcast(word), add(sum, x, w) (the instruction) and plus(sum, sum).
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

constexpr std::int64_t kWordsAhead = 32;  // lines of a panel: 2 KiB, some 500 ns

// rows' words interleaved; each panel [words][16]. out[rows][32] = sums of a pair of panels, += where add.
struct WordTile {
  const std::byte* rows;
  const std::byte* panels;
  std::int64_t panel_stride, count;  // bytes between panels; how many there are of those that the tile is made for
  std::int64_t words;                // a multiple of 16
  bool streamed;                     // once: what comes next is to be fetched meanwhile
  std::byte* out;
  std::int64_t out_stride;    // bytes between pairs
  const std::int32_t* start;  // [count * 16] words that the sums start from, or null for 0; unless add
  bool add;
};

// `panels` side by side. `apart` sums of each result are kept apart, where there are so few that the latency of the
// instruction would show.
template <class Step, int rows, int panels, int apart>
OCTAVO_TARGET void word_tile(const WordTile& t) {
  const std::byte* weights[panels];
#pragma GCC unroll 4
  for (int j = 0; j < panels; ++j) weights[j] = t.panels + (j < t.count ? j : t.count - 1) * t.panel_stride;
  const std::byte* x_words = t.rows;
  constexpr int width = static_cast<int>(interleaved_width(rows));
  typename Step::Sum sums[apart][rows][panels];  // in registers, if every loop over them is unrolled
#pragma GCC unroll 4
  for (int u = 0; u < apart; ++u)
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int j = 0; j < panels; ++j) sums[u][r][j] = Step::zero();
  // What is fetched lies further on in each panel, and near its end in the panel that takes its place.
  const std::int64_t ahead = !t.streamed ? 0 : t.words < kWordsAhead ? t.words : kWordsAhead;
  std::int64_t distance = 64 * ahead;
  std::int64_t word = 0;
  for (std::int64_t end = t.words - ahead; word < t.words;
       end = t.words, distance = 64 * ahead + (panels - 1) * t.panel_stride)
    for (; word < end; word += apart) {
#pragma GCC unroll 4
      for (int u = 0; u < apart; ++u) {
        typename Step::Sum w[panels];
#pragma GCC unroll 4
        for (int j = 0; j < panels; ++j) {
          _mm_prefetch(weights[j] + 64 * u + distance, _MM_HINT_T1);
          w[j] = Step::load(weights[j] + 64 * u);
        }
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r) {
          const typename Step::Sum x = Step::broadcast(x_words + 4 * (u * width + r));
#pragma GCC unroll 4
          for (int j = 0; j < panels; ++j) Step::add(sums[u][r][j], x, w[j]);
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < panels; ++j) weights[j] += 64 * apart;
      x_words += 4 * width * apart;
    }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < panels; ++j) {
#pragma GCC unroll 4
      for (int u = 1; u < apart; ++u) sums[0][r][j] = Step::plus(sums[0][r][j], sums[u][r][j]);
      if (j >= t.count) continue;
      std::byte* to = t.out + j / 2 * t.out_stride + r * kSumBytes + j % 2 * 64;
      const auto* start = reinterpret_cast<const std::byte*>(t.start);
      const std::byte* from = t.add ? to : start != nullptr ? start + j * 64 : nullptr;
      Step::store(to, from == nullptr ? sums[0][r][j] : Step::plus(sums[0][r][j], Step::load(from)));
    }
}

// One row by four panels: memory gives most to four streams. More rows by two.
constexpr std::int64_t panels_of_tile(std::int64_t rows) { return rows == 1 ? 4 : 2; }

template <class Step>
void word_tile_of(std::int64_t rows, const WordTile& t) {
  using Tile = void (*)(const WordTile&);
  static constexpr Tile kTiles[kInterleavedRows + 1] = {
      nullptr,
      word_tile<Step, 1, 4, 2>,
      word_tile<Step, 2, 2, 4>,
      word_tile<Step, 3, 2, 2>,
      word_tile<Step, 4, 2, 2>,
      word_tile<Step, 5, 2, 2>,
      word_tile<Step, 6, 2, 1>,
      word_tile<Step, 7, 2, 1>,
      word_tile<Step, 8, 2, 1>,
      word_tile<Step, 9, 2, 1>,
      word_tile<Step, 10, 2, 1>,
      word_tile<Step, 11, 2, 1>,
      word_tile<Step, 12, 2, 1>,
  };
  kTiles[rows](t);
}

template <class Step>
void multiply_words(const TileWork& w) {
  const std::int64_t together = panels_of_tile(w.row_count);
  for (std::int64_t panel = 0; panel < w.panel_count; panel += together) {
    for (std::int64_t row = 0; row < w.row_count; row += kInterleavedRows) {
      const std::int64_t left_over = w.row_count - row;
      const std::int64_t rows = left_over < kInterleavedRows ? left_over : kInterleavedRows;
      const std::int64_t count = w.panel_count - panel;
      word_tile_of<Step>(rows, {.rows = w.rows + row / kInterleavedRows * w.strip_stride +
                                        w.first_step * kStepBytes * interleaved_width(rows),
                                .panels = w.panels + panel * w.panel_stride,
                                .panel_stride = w.panel_stride,
                                .count = count < together ? count : together,
                                .words = w.steps * 16,
                                .streamed = w.row_count <= kInterleavedRows,
                                .out = w.sums + (panel / 2 * w.row_count + row) * kSumBytes,
                                .out_stride = w.row_count * kSumBytes,
                                .start = w.start == nullptr ? nullptr : w.start + panel * kPanelColumns,
                                .add = w.add});
    }
  }
}

}  // namespace

}  // namespace octavo::gemm
#endif
