// Products of words of 32 bits in registers of any width, for the instruction of the file that includes this. Before
// that, it defines OCTAVO_TARGET; its Step has
//   Sum                       a register of sums, of kColumns columns: a whole line of a panel, or half of one
//   kWordBytes                of a row, for one word of the panels
//   kTileRows                 of the largest tile
//   registers(rows)           of sums side by side in a tile of so many rows
//   apart(rows)               sums of each result that are kept apart, where there are so few that the latency of the
//                             instruction would show
//   zero(), load(words), store(words, sum), plus(sum, sum)
//   Weights, weights(words)   the words of kColumns columns, ready for add
//   Word, word(bytes)         a word of a row, ready for add
//   add(sum, word, weights)   the instruction
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "cpu.hpp"
#include "panels.hpp"
#include "tile_work.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

namespace octavo::gemm {

namespace {

constexpr std::int64_t kWordsAhead = 32;  // lines of a panel: 2 KiB, some 500 ns

// Some rows of a strip by panels [words][16]. Sums of panels, += where add.
struct WordTile {
  const std::byte* rows;             // the words of the first of them
  std::int64_t strip_rows;           // whose words are interleaved
  const std::byte* panels;           // the columns of the first sums
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

template <class Step>
constexpr int kLineRegisters = static_cast<int>(kPanelColumns / Step::kColumns);

// Panels of a tile: one at least, of whose lines it may take a half.
template <class Step>
constexpr int panels_of_tile(int rows) {
  return Step::registers(rows) < kLineRegisters<Step> ? 1 : Step::registers(rows) / kLineRegisters<Step>;
}

// Panels that are read from memory are `streamed`: what comes next is fetched meanwhile.
template <class Step, int rows, bool streamed>
OCTAVO_TARGET void word_tile(const WordTile& t) {
  constexpr int registers = Step::registers(rows), apart = Step::apart(rows);
  constexpr int panels = panels_of_tile<Step>(rows), parts = registers / panels;  // registers of a panel
  constexpr std::int64_t part_bytes = 4 * Step::kColumns;
  const std::int64_t row_stride =
      Step::kWordBytes * (Step::kTileRows == kInterleavedRows ? std::int64_t{rows} : t.strip_rows);
  const std::byte* weights[panels];
#pragma GCC unroll 4
  for (int j = 0; j < panels; ++j) weights[j] = t.panels + (j < t.count ? j : t.count - 1) * t.panel_stride;
  const std::byte* x_words = t.rows;
  const std::byte* next = t.next;
  const std::byte* const next_end = t.next + t.share;
  typename Step::Sum sums[apart][rows][registers];  // in registers, if every loop over them is unrolled
#pragma GCC unroll 4
  for (int u = 0; u < apart; ++u)
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
      for (int i = 0; i < registers; ++i) sums[u][r][i] = Step::zero();
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
        if (streamed) {
#pragma GCC unroll 4
          for (int j = 0; j < panels; ++j) _mm_prefetch(weights[j] + 64 * u + distance, _MM_HINT_T1);
        }
        // One row has one use for each of the weights, and more registers of sums than there are for all weights.
        constexpr int together = rows == 1 && registers > 4 ? 1 : registers;
#pragma GCC unroll 8
        for (int first = 0; first < registers; first += together) {
          typename Step::Weights w[together];
#pragma GCC unroll 8
          for (int i = 0; i < together; ++i)
            w[i] = Step::weights(weights[(first + i) / parts] + 64 * u + (first + i) % parts * part_bytes);
#pragma GCC unroll 12
          for (int r = 0; r < rows; ++r) {
            const typename Step::Word x = Step::word(x_words + u * row_stride + Step::kWordBytes * r);
#pragma GCC unroll 8
            for (int i = 0; i < together; ++i) Step::add(sums[u % apart][r][first + i], x, w[i]);
          }
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < panels; ++j) weights[j] += 64 * kWordsTogether;
      x_words += kWordsTogether * row_stride;
    }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int i = 0; i < registers; ++i) {
      const int j = i / parts, column = i % parts * static_cast<int>(Step::kColumns);
#pragma GCC unroll 4
      for (int u = 1; u < apart; ++u) sums[0][r][i] = Step::plus(sums[0][r][i], sums[u][r][i]);
      if (j >= t.count) continue;
      std::byte* to = t.sums_of(j) + r * kSumBytes + 4 * column;
      const std::int32_t* start = t.start == nullptr ? nullptr : t.start + j * t.start_stride + column;
      const std::byte* from = t.add ? to : reinterpret_cast<const std::byte*>(start);
      Step::store(to, from == nullptr ? sums[0][r][i] : Step::plus(sums[0][r][i], Step::load(from)));
    }
}

using WordTileOf = void (*)(const WordTile&);

template <class Step, bool streamed, int... rows>
constexpr auto word_tiles(std::integer_sequence<int, rows...>) {
  return std::array<WordTileOf, sizeof...(rows)>{word_tile<Step, rows + 1, streamed>...};
}

// All rows of a strip, or where they are more than those of the largest tile, some after the other, by the panels of a
// tile of the first: what it streams, the others find near.
template <class Step>
void strip_tile(std::int64_t strip_rows, WordTile t, bool streamed) {
  using Rows = std::make_integer_sequence<int, static_cast<int>(Step::kTileRows)>;
  static constexpr auto kStreamed = word_tiles<Step, true>(Rows{}), kNear = word_tiles<Step, false>(Rows{});
  t.strip_rows = strip_rows;
  const std::int64_t count = t.count, groups = (strip_rows + Step::kTileRows - 1) / Step::kTileRows;
  const std::int64_t most = (strip_rows + groups - 1) / groups;
  for (std::int64_t row = 0; row < strip_rows; row += most) {
    const std::int64_t rows = strip_rows - row < most ? strip_rows - row : most;
    const std::int64_t panels = panels_of_tile<Step>(static_cast<int>(rows));
    const std::int64_t registers = Step::registers(static_cast<int>(rows));
    for (std::int64_t panel = 0; panel < count; panel += panels)
      for (std::int64_t part = 0; part < (registers < kLineRegisters<Step> ? kLineRegisters<Step> : 1); ++part) {
        const bool first = row == 0 && part == 0;
        WordTile some = t;
        some.rows += row * Step::kWordBytes;
        some.panels += panel * t.panel_stride + part * 4 * Step::kColumns;
        some.count = count - panel < panels ? count - panel : panels;
        some.out = t.sums_of(panel) + row * kSumBytes + part * 4 * Step::kColumns;
        some.start = t.start == nullptr ? nullptr : t.start + panel * t.start_stride + part * Step::kColumns;
        some.next = t.next == nullptr ? nullptr : t.next + panel * t.panel_stride;
        if (!first) some.share = 0;
        (first && streamed ? kStreamed : kNear)[static_cast<std::size_t>(rows - 1)](some);
      }
  }
}

// One row by four panels, more rows by two.
constexpr std::int64_t panels_together(std::int64_t rows) { return rows == 1 ? 4 : 2; }

// The panels of a single strip's tiles are as far apart as can be, so that each stays one stream of memory from its
// first panel to its last: what memory gives fastest. The sums of all panels are kept until their neighbours' are
// there.
template <class Step>
void multiply_strip(const TileWork& w) {
  const std::int64_t rows = w.row_count;
  const std::int64_t together = panels_together(rows);
  const bool one_tile = w.panel_count <= together;
  // Even, so that no pair is divided.
  const std::int64_t apart = one_tile ? 1 : (w.panel_count + 2 * together - 1) / (2 * together) * 2;
  for (std::int64_t panel = 0; panel < apart; ++panel) {
    const std::int64_t count = (w.panel_count - panel + apart - 1) / apart;
    strip_tile<Step>(rows,
                     {.rows = w.rows + w.first_step * 16 * Step::kWordBytes * rows,
                      .strip_rows = rows,
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
                      .share = 0},
                     true);
  }
  if (w.finish != nullptr)
    for (std::int64_t pair = 0; 2 * pair < w.panel_count; ++pair)
      w.finish(w.context, w.sums + pair * rows * kSumBytes, pair, 0, rows);
}

// Strip by strip: its rows stay in the first cache, all panels in the second, and results are written side by side.
template <class Step>
void multiply_words(const TileWork& w) {
  if (w.row_count <= kInterleavedRows) return multiply_strip<Step>(w);
  constexpr std::int64_t kTogether = panels_together(kInterleavedRows);
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
      const WordTile tile{.rows = w.rows + strip * w.strip_stride + w.first_step * 16 * Step::kWordBytes * rows,
                          .strip_rows = rows,
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
      strip_tile<Step>(rows, tile, strip == 0 || rows < kInterleavedRows);
      if (w.finish != nullptr) w.finish(w.context, tile.out, panel / 2, row, rows);
    }
  }
}

}  // namespace

}  // namespace octavo::gemm
#endif
