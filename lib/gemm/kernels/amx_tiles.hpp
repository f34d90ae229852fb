// Tiles of AMX: 16 rows of 64 bytes by 16 columns of 64 bytes into 16 x 16 sums. The file that includes this defines
// OCTAVO_TARGET, OCTAVO_TILE_PRODUCT(sums, rows, weights), the instruction with its three tile numbers, and
// OCTAVO_TILE_SUM, the type of a sum.
#pragma once

#include "cpu.hpp"
#include "panels.hpp"
#include "pending_rows.hpp"
#include "tile_config.hpp"
#include "tile_work.hpp"

#ifdef OCTAVO_AMX

namespace octavo::gemm {

namespace {

constexpr std::int64_t kTileRows = 32;  // of a strip: two tiles

// What every step of a strip does beside its products, so that it is there when it is wanted; in lines of 64 bytes.
struct Meanwhile {
  std::int64_t panel_lines = 0;  // of each of the next two panels
  std::int64_t row_lines = 0;    // of the strip's rows in the steps that come next
  std::int64_t sum_lines = 0;    // of the next strip's sums
};

// One strip of up to 32 rows.
struct Strip {
  const std::byte* lines;  // [steps][parts][rows][64 bytes]
  const std::byte* next;   // lines of the steps that come next
  std::int64_t rows;
  std::byte* sums;     // of its first row
  std::int64_t index;  // among all strips
  Meanwhile meanwhile;
};

constexpr std::int64_t share_of(std::int64_t count, std::int64_t parts) { return (count + parts - 1) / parts; }

Meanwhile meanwhile_of(const TileWork& w, std::int64_t parts, std::int64_t rows, std::int64_t strips) {
  Meanwhile m;
  if (w.next != nullptr) m.panel_lines = share_of(16, strips);
  if (w.next_step >= 0) m.row_lines = share_of(parts * rows, w.pairs);
  if (w.add) m.sum_lines = share_of(2 * rows, w.steps);
  return m;
}

// Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights. Two tiles of rows by two panels: four products for four loads,
// or less where the rows have parts.
//
// A pair of panels stays in the first cache for all strips, so rows are loaded past it (tileloaddt1). What is wanted
// next is fetched into the second cache meanwhile, by every strip and pair its share: the next pair of panels, and the
// rows of the next steps of K; and the sums that the next strip adds to into the first. Rows of pending sums end
// meanwhile, too. The four loads of a step stand together: between products they waited for these.
template <int parts, class Rows>
OCTAVO_TARGET void two_by_two(const TileWork& w, const Strip& s, const std::byte* b) {
  Rows pending(w.pending);
  std::byte* below = s.sums + 16 * kSumBytes;
  if (w.add) {
    _tile_loadd(0, s.sums, kSumBytes);
    _tile_loadd(1, s.sums + 64, kSumBytes);
    _tile_loadd(2, below, kSumBytes);
    _tile_loadd(3, below + 64, kSumBytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const Meanwhile m = s.meanwhile;
  const std::int64_t steps = w.steps, panel_stride = w.panel_stride, pending_step = w.pending_step;
  const std::int64_t part_bytes = s.rows * 64;
  const std::byte* a = s.lines;
  const std::byte* panel = w.next + s.index * steps * m.panel_lines * 64;
  const std::byte* row = s.next + w.pair * steps * m.row_lines * 64;
  const std::byte* sums = s.sums + s.rows * kSumBytes;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t i = 0; i < m.panel_lines; ++i, panel += 64) {
      _mm_prefetch(panel, _MM_HINT_T1);
      _mm_prefetch(panel + panel_stride, _MM_HINT_T1);
    }
    for (std::int64_t i = 0; i < m.row_lines; ++i, row += 64) _mm_prefetch(row, _MM_HINT_T1);
    for (std::int64_t i = 0; i < m.sum_lines; ++i, sums += 64) _mm_prefetch(sums, _MM_HINT_T0);
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_stream_loadd(4, a, 64);
      if (part == 0) _tile_loadd(6, b, 64);
      _tile_stream_loadd(5, a + 1024, 64);
      if (part == 0) _tile_loadd(7, b + panel_stride, 64);
      OCTAVO_TILE_PRODUCT(0, 4, 6);
      OCTAVO_TILE_PRODUCT(1, 4, 7);
      OCTAVO_TILE_PRODUCT(2, 5, 6);
      OCTAVO_TILE_PRODUCT(3, 5, 7);
      a += part_bytes;
    }
    b += 1024;
    pending.end_some(pending_step);
  }
  pending.leave();
  _tile_stored(0, s.sums, kSumBytes);
  _tile_stored(1, s.sums + 64, kSumBytes);
  _tile_stored(2, below, kSumBytes);
  _tile_stored(3, below + 64, kSumBytes);
}

// One panel: the first 16 rows, and the others where there are any.
template <int parts>
OCTAVO_TARGET void by_one(const TileWork& w, const Strip& s, const std::byte* b) {
  const bool two = s.rows > 16;
  std::byte* below = s.sums + 16 * kSumBytes;
  if (w.add) {
    _tile_loadd(0, s.sums, kSumBytes);
    if (two) _tile_loadd(2, below, kSumBytes);
  } else {
    _tile_zero(0);
    _tile_zero(2);
  }
  const std::byte* a = s.lines;
  for (std::int64_t step = 0; step < w.steps; ++step) {
    _tile_loadd(6, b, 64);
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_loadd(4, a, 64);
      OCTAVO_TILE_PRODUCT(0, 4, 6);
      if (two) {
        _tile_loadd(5, a + 1024, 64);
        OCTAVO_TILE_PRODUCT(2, 5, 6);
      }
      a += s.rows * 64;
    }
    b += 1024;
  }
  _tile_stored(0, s.sums, kSumBytes);
  if (two) _tile_stored(2, below, kSumBytes);
}

// Up to 16 rows by four panels: as many sums under way as the instruction's latency asks for.
template <int parts>
OCTAVO_TARGET void one_by_four(const TileWork& w, const Strip& s, const std::byte* b, std::byte* next) {
  if (w.add) {
    _tile_loadd(0, s.sums, kSumBytes);
    _tile_loadd(1, s.sums + 64, kSumBytes);
    _tile_loadd(2, next, kSumBytes);
    _tile_loadd(3, next + 64, kSumBytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::byte* a = s.lines;
  for (std::int64_t step = 0; step < w.steps; ++step) {
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_loadd(4, a, 64);
      _tile_loadd(6, b, 64);
      OCTAVO_TILE_PRODUCT(0, 4, 6);
      _tile_loadd(7, b + w.panel_stride, 64);
      OCTAVO_TILE_PRODUCT(1, 4, 7);
      _tile_loadd(6, b + 2 * w.panel_stride, 64);
      OCTAVO_TILE_PRODUCT(2, 4, 6);
      _tile_loadd(7, b + 3 * w.panel_stride, 64);
      OCTAVO_TILE_PRODUCT(3, 4, 7);
      a += s.rows * 64;
    }
    b += 1024;
  }
  _tile_stored(0, s.sums, kSumBytes);
  _tile_stored(1, s.sums + 64, kSumBytes);
  _tile_stored(2, next, kSumBytes);
  _tile_stored(3, next + 64, kSumBytes);
}

template <int parts, class Rows>
void multiply_strips(const TileWork& w) {
  for (std::int64_t row = 0; row < w.row_count;) {
    const std::int64_t left = w.row_count - row;
    const std::int64_t rows = left < kTileRows ? left : kTileRows;
    configure_tiles(rows);
    const Meanwhile meanwhile = meanwhile_of(w, parts, rows, (w.row_count + kTileRows - 1) / kTileRows);
    // All strips of this height under one configuration.
    for (const std::int64_t stop = rows < kTileRows ? w.row_count : w.row_count / kTileRows * kTileRows; row < stop;
         row += rows) {
      const std::byte* strip = w.rows + row / kTileRows * w.strip_stride;
      Strip s{strip + w.first_step * parts * rows * 64,
              w.next_step < 0 ? nullptr : strip + w.next_step * parts * rows * 64,
              rows,
              w.sums + row * kSumBytes,
              row / kTileRows,
              meanwhile};
      const std::int64_t pair_bytes = w.row_count * kSumBytes;
      std::int64_t panel = 0;
      if (rows <= 16)
        for (; panel + 4 <= w.panel_count; panel += 4, s.sums += 2 * pair_bytes)
          one_by_four<parts>(w, s, w.panels + panel * w.panel_stride, s.sums + pair_bytes);
      else
        for (; panel + 2 <= w.panel_count; panel += 2, s.sums += pair_bytes)
          two_by_two<parts, Rows>(w, s, w.panels + panel * w.panel_stride);
      for (; panel < w.panel_count; ++panel) {
        Strip one = s;
        one.sums += panel % 2 * 64;
        by_one<parts>(w, one, w.panels + panel * w.panel_stride);
        if (panel % 2 == 1) s.sums += pair_bytes;
      }
    }
  }
}

template <int parts>
void multiply_tiles(const TileWork& w) {
  with_pending_rows(w.pending, [&]<class Rows>() { multiply_strips<parts, Rows>(w); });
}

}  // namespace

}  // namespace octavo::gemm
#endif
