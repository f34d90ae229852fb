// Few rows of float32 by weights as stored, for the registers of the file that includes this: the weights are read
// once, widened in registers, and memory is the limit. Before that, it defines OCTAVO_TARGET. Its Lanes has
//   Sixteen                  as many float32, in one register or two
//   kOneRow                  columns of a tile of one row: so many that their sums hide the latency of the instruction
//   kColumns                 of a tile of two rows or three: so many that their sums fit the registers
//   zero(), load(x), load(x, count)       `count` of them, the others 0 and not read
//   add_product(sum, x, w)
//   sums_of(sixteens)        of four, each added up: lanes 8 apart, then neighbours, neighbours again, and the halves
//   store(four, count, to)   `count` of them
// and a Weight for each type has Stored, load(w) and load(w, count), which widen exactly.
#pragma once

#include <algorithm>
#include <cstdint>

#include "float_product.hpp"

namespace octavo::gemm {

namespace {

// `rows` rows of x by `columns` rows of the weight, or by `count` of them: then the others repeat the last. Each result
// is the sum of sixteen sums, of every sixteenth term, added up in one order, whatever the rows, the columns and the
// registers: a row has the same bits alone and among others, and by packed weights (float_stream_panels.cpp).
template <class Lanes, class Weight, int rows, int columns>
OCTAVO_TARGET void stream_tile(const float* x, const typename Weight::Stored* weight, std::int64_t k,
                               std::int64_t count, float* y, std::int64_t y_stride) {
  using Sixteen = typename Lanes::Sixteen;
  const typename Weight::Stored* w[columns];
  for (std::int64_t j = 0; j < columns; ++j) w[j] = weight + std::min(j, count - 1) * k;
  Sixteen sums[rows][columns];
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j) sums[r][j] = Lanes::zero();
  for (std::int64_t i = 0; i < k; i += 16) {
    // The next rows, a few hundred nanoseconds ahead: rows are shorter than what the processor takes to see a stream.
    if (i % 32 == 0)
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j)
        _mm_prefetch(reinterpret_cast<const char*>(w[j] + columns * k + i), _MM_HINT_T0);
    Sixteen wide[columns];
    if (i + 16 <= k) {
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j) wide[j] = Weight::load(w[j] + i);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) {
        const Sixteen values = Lanes::load(x + r * k + i);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j) Lanes::add_product(sums[r][j], values, wide[j]);
      }
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < columns; ++j) wide[j] = Weight::load(w[j] + i, k - i);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) {
        const Sixteen values = Lanes::load(x + r * k + i, k - i);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j) Lanes::add_product(sums[r][j], values, wide[j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int first = 0; first < columns; first += 4) {
      Sixteen four[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) four[j] = first + j < columns ? sums[r][first + j] : Lanes::zero();
      Lanes::store(Lanes::sums_of(four), std::clamp<std::int64_t>(count - first, 0, 4), y + r * y_stride + first);
    }
}

template <class Lanes, class Weight>
void stream_tiles(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  using Tile = void (*)(const float*, const typename Weight::Stored*, std::int64_t, std::int64_t, float*, std::int64_t);
  static constexpr std::int64_t kRows = 3;
  static constexpr Tile kTiles[kRows + 1] = {nullptr, stream_tile<Lanes, Weight, 1, Lanes::kOneRow>,
                                             stream_tile<Lanes, Weight, 2, Lanes::kColumns>,
                                             stream_tile<Lanes, Weight, 3, Lanes::kColumns>};
  const auto* weight = static_cast<const typename Weight::Stored*>(p.weight);
  for (std::int64_t j = first; j < first + count; j += Lanes::kOneRow)  // stay near for all rows of x
    for (std::int64_t row = 0; row < p.m; row += kRows) {
      const std::int64_t rows = std::min(kRows, p.m - row);
      const std::int64_t columns = rows == 1 ? Lanes::kOneRow : Lanes::kColumns;
      for (std::int64_t i = j; i < std::min(first + count, j + Lanes::kOneRow); i += columns)
        kTiles[rows](p.x + row * p.k, weight + i * p.k, p.k, std::min(columns, first + count - i), p.y + row * p.n + i,
                     p.n);
    }
}

template <class Lanes, class Float32, class BFloat, class Half, class Byte>
void stream_any(const FloatProduct& p, std::int64_t first, std::int64_t count) {
  if (p.dtype == DType::f32) return stream_tiles<Lanes, Float32>(p, first, count);
  if (p.dtype == DType::bf16) return stream_tiles<Lanes, BFloat>(p, first, count);
  if (p.dtype == DType::f16) return stream_tiles<Lanes, Half>(p, first, count);
  stream_tiles<Lanes, Byte>(p, first, count);
}

}  // namespace

}  // namespace octavo::gemm
