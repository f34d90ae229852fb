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

// rows' words interleaved; each panel [words][16]. Sums of panels, += where add.
struct WordTile {
  const std::byte* rows;
  const std::byte* panels;
  std::int64_t panel_stride, count;  // bytes between panels; how many there are of those that the tile is made for
  std::int64_t jump;                 // bytes from a panel's end to the panel that takes its place in the next tile
  std::int64_t words;                // a multiple of 16
  std::byte* out;                    // [rows][32], 16 words of a row for each panel
  std::int64_t out_stride;           // bytes between the sums of two panels, where these are not `paired`
  bool paired;                       // the sums of two panels lie side by side, out_stride is between pairs
  const std::int32_t* start;         // [16] words that the sums of a panel start from, or null for 0; unless add
  std::int64_t start_stride;         // words between panels
  bool add;
  const std::byte* next;  // in the panels that are wanted later: this tile's share of each, panel_stride apart
  std::int64_t share;     // bytes

  std::byte* sums_of(std::int64_t panel) const {
    return out + (paired ? panel / 2 * out_stride + panel % 2 * 64 : panel * out_stride);
  }
};

constexpr std::int64_t kWordsTogether = 4;

// `panels` side by side. `apart` sums of each result are kept apart, where there are so few that the latency of the
// instruction would show. Panels that are read from memory are `streamed`: what comes next is fetched meanwhile.
template <class Step, int rows, int panels, int apart, bool streamed = true>
OCTAVO_TARGET void word_tile(const WordTile& t) {
  const std::byte* weights[panels];
#pragma GCC unroll 4
  for (int j = 0; j < panels; ++j) weights[j] = t.panels + (j < t.count ? j : t.count - 1) * t.panel_stride;
  const std::byte* x_words = t.rows;
  const std::byte* next = t.next;
  const std::byte* const next_end = t.next + t.share;
  typename Step::Sum sums[apart][rows][panels];  // in registers, if every loop over them is unrolled
#pragma GCC unroll 4
  for (int u = 0; u < apart; ++u)
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int j = 0; j < panels; ++j) sums[u][r][j] = Step::zero();
  // What is fetched lies further on in each panel, and near its end in the next tile's.
  const std::int64_t ahead = !streamed ? 0 : t.words < kWordsAhead ? t.words : kWordsAhead;
  std::int64_t distance = 64 * ahead;
  std::int64_t word = 0;
  for (std::int64_t end = t.words - ahead; word < t.words; end = t.words, distance = 64 * ahead + t.jump)
    for (; word < end; word += kWordsTogether) {
      if (next < next_end) {
#pragma GCC unroll 4
        for (int j = 0; j < panels; ++j) _mm_prefetch(next + j * t.panel_stride, _MM_HINT_T1);
        next += 64;
      }
#pragma GCC unroll 4
      for (int u = 0; u < kWordsTogether; ++u) {
        typename Step::Sum w[panels];
#pragma GCC unroll 4
        for (int j = 0; j < panels; ++j) {
          if (streamed) _mm_prefetch(weights[j] + 64 * u + distance, _MM_HINT_T1);
          w[j] = Step::load(weights[j] + 64 * u);
        }
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r) {
          const typename Step::Sum x = Step::broadcast(x_words + 4 * (u * rows + r));
#pragma GCC unroll 4
          for (int j = 0; j < panels; ++j) Step::add(sums[u % apart][r][j], x, w[j]);
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < panels; ++j) weights[j] += 64 * kWordsTogether;
      x_words += 4 * rows * kWordsTogether;
    }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < panels; ++j) {
#pragma GCC unroll 4
      for (int u = 1; u < apart; ++u) sums[0][r][j] = Step::plus(sums[0][r][j], sums[u][r][j]);
      if (j >= t.count) continue;
      std::byte* to = t.sums_of(j) + r * kSumBytes;
      const std::int32_t* start = t.start == nullptr ? nullptr : t.start + j * t.start_stride;
      const std::byte* from = t.add ? to : reinterpret_cast<const std::byte*>(start);
      Step::store(to, from == nullptr ? sums[0][r][j] : Step::plus(sums[0][r][j], Step::load(from)));
    }
}

// One row by four panels, more rows by two.
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

// The panels of a single strip's tiles are as far apart as can be, so that each stays one stream of memory from its
// first panel to its last: what memory gives fastest. The sums of all panels are kept until their neighbours' are
// there.
template <class Step>
void multiply_strip(const TileWork& w) {
  const std::int64_t rows = w.row_count;
  const std::int64_t together = panels_of_tile(rows);
  const bool one_tile = w.panel_count <= together;
  // Even, so that no pair is divided.
  const std::int64_t apart = one_tile ? 1 : (w.panel_count + 2 * together - 1) / (2 * together) * 2;
  for (std::int64_t panel = 0; panel < apart; ++panel) {
    const std::int64_t count = (w.panel_count - panel + apart - 1) / apart;
    word_tile_of<Step>(rows, {.rows = w.rows + w.first_step * kStepBytes * rows,
                              .panels = w.panels + panel * w.panel_stride,
                              .panel_stride = apart * w.panel_stride,
                              .count = count < together ? count : together,
                              .jump = w.panel_stride - w.steps * kPanelStep,
                              .words = w.steps * 16,
                              .out = w.sums + panel / 2 * rows * kSumBytes + panel % 2 * 64,
                              .out_stride = one_tile ? rows * kSumBytes : apart / 2 * rows * kSumBytes,
                              .paired = one_tile,
                              .start = w.start == nullptr ? nullptr : w.start + panel * kPanelColumns,
                              .start_stride = apart * kPanelColumns,
                              .add = w.add,
                              .next = nullptr,
                              .share = 0});
  }
  if (w.finish != nullptr)
    for (std::int64_t pair = 0; 2 * pair < w.panel_count; ++pair)
      w.finish(w.context, w.sums + pair * rows * kSumBytes, pair, 0, rows);
}

// Strip by strip: its rows stay in the first cache, all panels in the second, and results are written side by side.
template <class Step>
void multiply_words(const TileWork& w) {
  if (w.row_count <= kInterleavedRows) return multiply_strip<Step>(w);
  constexpr std::int64_t kTogether = panels_of_tile(kInterleavedRows);
  const std::int64_t strips = (w.row_count + kInterleavedRows - 1) / kInterleavedRows;
  const std::int64_t share = (w.steps * 16 + strips - 1) / strips * 64;  // of each panel that follows
  const bool passing = w.finish != nullptr && !w.add;
  for (std::int64_t strip = 0; strip < strips; ++strip) {
    const std::int64_t row = strip * kInterleavedRows;
    const std::int64_t left_over = w.row_count - row;
    const std::int64_t rows = left_over < kInterleavedRows ? left_over : kInterleavedRows;
    for (std::int64_t panel = 0; panel < w.panel_count; panel += kTogether) {
      const std::int64_t count = w.panel_count - panel;
      const std::int64_t skipped = w.steps * kPanelStep - strip * share;  // bytes left of each panel that follows
      const WordTile tile{.rows = w.rows + strip * w.strip_stride + w.first_step * kStepBytes * rows,
                          .panels = w.panels + panel * w.panel_stride,
                          .panel_stride = w.panel_stride,
                          .count = count < kTogether ? count : kTogether,
                          .jump = kTogether * w.panel_stride - w.steps * kPanelStep,
                          .words = w.steps * 16,
                          .out = passing ? w.sums : w.sums + (panel / 2 * w.row_count + row) * kSumBytes,
                          .out_stride = (passing ? rows : w.row_count) * kSumBytes,
                          .paired = true,
                          .start = w.start == nullptr ? nullptr : w.start + panel * kPanelColumns,
                          .start_stride = kPanelColumns,
                          .add = w.add,
                          .next = w.next == nullptr ? nullptr : w.next + panel * w.panel_stride + strip * share,
                          .share = w.next == nullptr ? 0
                                   : skipped < share ? skipped
                                                     : share};
      if (w.out != nullptr)
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t j = 0; j < tile.count; ++j)
            __builtin_prefetch(w.out + (row + r) * w.out_stride + (panel + j) * 64, 1);
      if (rows == kInterleavedRows && strip > 0)
        word_tile<Step, kInterleavedRows, kTogether, 1, false>(tile);
      else
        word_tile_of<Step>(rows, tile);
      if (w.finish != nullptr) w.finish(w.context, tile.out, panel / 2, row, rows);
    }
  }
}

}  // namespace

}  // namespace octavo::gemm
#endif
