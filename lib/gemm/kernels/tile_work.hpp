// What one instruction set has to provide for products over packed panels; tile_loops.hpp does the rest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pending_sums.hpp"

namespace octavo::gemm {

// sums = rows * panels over some steps of K, or += where `add`. Words are of 32 bits: int32 or float32.
//
// Rows come in strips of TileKernel::rows, the last one shorter, strip_stride bytes apart, each in the order in which
// it is read:
//   lines        [steps][parts][rows][64 bytes]
//   interleaved  [words][rows], interleave_rows or interleave_wide_rows
struct TileWork {
  const std::byte* rows;
  std::int64_t strip_stride;
  std::int64_t row_count;
  const std::byte* panels;    // at first_step
  std::int64_t panel_stride;  // bytes between panels
  std::int64_t panel_count;   // 1 or 2; any number where there is a single strip or rows are interleaved
  std::int64_t first_step, steps;
  const std::byte* next;   // as many panels that follow these, to be fetched meanwhile; null: none
  std::int64_t next_step;  // whose rows are to be fetched meanwhile, by pair `pair` of `pairs` its share; -1: none
  std::int64_t pair, pairs;
  const std::int32_t* start;  // [panel_count * 16] that the sums start from; null: 0
  std::byte* sums;            // [panel pairs][row_count][32] words, aligned to 64 bytes
  bool add;
  // Of kernels of tiles, with several strips: what the products before have left, ended meanwhile, so many rows a step.
  PendingSums* pending;
  std::int64_t pending_step;
  // Of the other kernels: sums that are complete, of `count` rows from `row` of a pair of panels, are handed over once
  // and while they are in the first cache; where `add` is false, too, and there are several strips, `sums` then has
  // room for one pair of one strip only. Null: not yet.
  void (*finish)(const void* context, const std::byte* sums, std::int64_t pair, std::int64_t row, std::int64_t count);
  const void* context;
  const std::byte* out;     // where the first 64 bytes of results will be written, to be fetched; null: not yet
  std::int64_t out_stride;  // bytes between rows
};

inline constexpr std::int64_t kSumBytes = 128;  // of a row of a pair of panels

inline constexpr std::int64_t kBlockPanels = 16;

struct TileKernel {
  std::int64_t rows;   // of a strip
  std::int64_t parts;  // that a row is the sum of
  bool interleaved;
  std::int64_t block_rows;  // multiplied by a block of panels before the next: whole strips
  std::int64_t cut_steps;   // sums of several strips are cut, so that panels stay in a cache
  void (*multiply)(const TileWork&);
  void (*end)(PendingSums&) = nullptr;  // what is left of them; of tiles
  void (*release)() = nullptr;          // gives back what multiply leaves set up for the next; null: nothing
  bool wide_rows = false;               // interleaved rows are int8 widened to int16, not offset
};

extern const TileKernel kAvx512VnniKernel;  // rows of unsigned bytes a + 128; `start` takes 128 * sum(w) away
extern const TileKernel kAvxVnniKernel;     // the same
extern const TileKernel kAvx512VnniOffsetWeightsKernel;  // weights of unsigned bytes w + 128, rows of signed ones
extern const TileKernel kAvx512Int8Kernel;               // rows of int16
extern const TileKernel kAvx2Int8Kernel;                 // the same
extern const TileKernel kAmxInt8Kernel;
extern const TileKernel kAvx512FmaKernel;   // float32
extern const TileKernel kAvx2FmaKernel;     // the same
extern const TileKernel kAvx512Bf16Kernel;  // bf16 by bf16
extern const TileKernel kAmxOnePartKernel;  // bf16 by bf16, rows being the sum of one or three
extern const TileKernel kAmxThreePartsKernel;

}  // namespace octavo::gemm
