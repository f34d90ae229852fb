// How a product is cut into blocks. The order of K is the same in every block, so that sums depend neither on the
// blocks nor on the threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "octavo/parallel.hpp"
#include "panels.hpp"
#include "scratch.hpp"
#include "tile_work.hpp"

namespace octavo::gemm {

inline constexpr std::int64_t kWorthAThread = std::int64_t{1} << 17;  // bytes of memory read by a part, some 5 us

inline constexpr std::int64_t kFewBlockRows = 96;  // where there are too few panels to share

// The rows of each block when `rows` are divided into as few as the kernel lets, of about the same size.
inline std::int64_t block_rows_of(const TileKernel& kernel, std::int64_t rows, std::int64_t most) {
  const std::int64_t blocks = (rows + most - 1) / most;
  const std::int64_t strips = ((rows + blocks - 1) / blocks + kernel.rows - 1) / kernel.rows;
  return strips * kernel.rows;
}

// The steps of each part when `steps` are cut into as few as the kernel lets, of about the same size.
inline std::int64_t cut_of(const TileKernel& kernel, std::int64_t steps) {
  const std::int64_t parts = (steps + kernel.cut_steps - 1) / kernel.cut_steps;
  return (steps + parts - 1) / std::max<std::int64_t>(1, parts);
}

// Whether the second cache keeps a block's rows while one pair of panels after the other is multiplied.
inline bool rows_stay(const TileKernel& kernel, std::int64_t rows, std::int64_t steps) {
  constexpr std::int64_t kKept = std::int64_t{1} << 20;
  return kernel.parts * rows * steps * kStepBytes <= kKept;
}

// The panels of a block of several strips of rows. Rows that do not stay are read from memory once for so many.
inline std::int64_t block_panels_of(const TileKernel& kernel, std::int64_t rows, std::int64_t steps) {
  return kernel.interleaved || rows_stay(kernel, rows, steps) ? kBlockPanels : 2 * kBlockPanels;
}

// x[M,K] as a kernel reads it.
struct PreparedRows {
  const std::byte* strips;
  std::int64_t strip_stride;
};

// body(row, rows, panel, panels) over all blocks. Threads share groups of panels of blocks of rows.
template <class Body>
void for_blocks(const TileKernel& kernel, std::int64_t rows, std::int64_t block_rows, std::int64_t panel_count,
                std::int64_t steps, std::int64_t block_panels, const Body& body) {
  const bool few = rows <= kernel.rows;       // the weights are what takes time to read
  const std::int64_t together = few ? 4 : 2;  // panels that tiles of so many rows take side by side
  const std::int64_t groups = (panel_count + together - 1) / together;
  const std::int64_t down = (rows + block_rows - 1) / block_rows;
  const std::int64_t group_bytes = together * steps * kPanelStep;
  const std::int64_t cost = group_bytes * std::max<std::int64_t>(1, std::min(rows, block_rows) / 8);
  // The last parts are small, so that no thread waits long for another; but a part of another thread's rows brings
  // them first, of three parts three times as many, and where rows do not stay, every part does.
  const bool small = kernel.parts == 1 && rows_stay(kernel, std::min(rows, block_rows), steps);
  const std::int64_t most = (small ? 16 : 4) * num_threads();
  const std::int64_t least = few ? 1 : (groups * down + most - 1) / most;
  parallel_for(groups * down, std::max(least, kWorthAThread / cost), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t next = begin; next < end;) {  // one block of rows after the other
      const std::int64_t block = next / groups;
      const std::int64_t stop = std::min(end, (block + 1) * groups);
      const std::int64_t row = block * block_rows;
      const std::int64_t last = std::min(panel_count, (stop - block * groups) * together);
      for (std::int64_t panel = next % groups * together; panel < last; panel += block_panels)
        body(row, std::min(block_rows, rows - row), panel, std::min(block_panels, last - panel));
      next = stop;
    }
  });
}

struct PackedPanels {
  const std::byte* first;
  std::int64_t stride;
  bool lasting;                // packed once: what follows in memory is what follows in K
  std::int64_t following = 0;  // further panels behind these, which are wanted next
};

// Gives back what a kernel has set up on this thread, also when the products are left by an exception.
struct ReleasedKernel {
  const TileKernel& kernel;
  ~ReleasedKernel() {
    if (kernel.release != nullptr) kernel.release();
  }
};

constexpr std::int64_t kBytesPastCaches = std::int64_t{4} << 20;  // of results, which second caches do not keep

// Whether the results of a product [rows, n] go past the caches. Measured with tiles only.
inline bool past_caches(const TileKernel& kernel, std::int64_t rows, std::int64_t n, const Results& results) {
  return !kernel.interleaved && results.ending != Ending::add && rows * n * 4 >= kBytesPastCaches &&
         results.stride % kPanelColumns == 0 && reinterpret_cast<std::uintptr_t>(results.y) % 64 == 0;
}

// Rows [row, row + rows) by `panels` panels, `cut` steps of K after the other.
struct Block {
  PreparedRows x;
  std::int64_t row, rows;
  std::int64_t steps, cut;
  std::int64_t panels;
  const std::int32_t* start;  // [panels * 16] that the sums start from, of kernels of words; null: 0
};

inline TileWork work_of(const TileKernel& kernel, const Block& b, const PackedPanels& weights, std::int64_t step) {
  TileWork work{};
  work.rows = b.x.strips + b.row / kernel.rows * b.x.strip_stride;
  work.strip_stride = b.x.strip_stride;
  work.row_count = b.rows;
  work.panels = weights.first;
  work.panel_stride = weights.stride;
  work.panel_count = b.panels;
  work.first_step = step;
  work.steps = std::min(b.cut, b.steps - step);
  work.add = step > 0;
  return work;
}

// For tiles: two panels at a time by several strips, so that they stay in the first cache.
template <class Packed, class Finish>
void multiply_pairs(const TileKernel& kernel, const Block& b, const SumEnding* ending, std::int64_t columns,
                    const Packed& packed, const Finish& finish) {
  const std::int64_t pairs = (b.panels + 1) / 2, strips = (b.rows + kernel.rows - 1) / kernel.rows;
  // Rows that stay in the second cache are multiplied by one pair after the other. Else a cut of them is by all pairs,
  // whose sums are kept meanwhile.
  const bool stay = rows_stay(kernel, b.rows, b.steps);
  const std::int64_t kept = stay ? std::min<std::int64_t>(2, pairs) : pairs;
  auto* sums = scratch<std::byte>(Purpose::sums, static_cast<std::size_t>(kept * b.rows * kSumBytes));
  PendingSums pending;
  const std::int64_t steps_to_end = strips * std::min(b.cut, b.steps);
  const auto multiply = [&](std::int64_t pair, std::int64_t step) {
    const std::int64_t count = std::min(b.cut, b.steps - step), panel = 2 * pair;
    const bool last_cut = step + count == b.steps, last_pair = pair + 1 == pairs;
    const PackedPanels weights = packed(step, count);
    const auto at = [&](std::int64_t some_panel, std::int64_t some_step) {
      return weights.first + some_panel * weights.stride + (some_step - step) * kPanelStep;
    };
    const std::byte* const next_block = weights.following >= 2 ? at(b.panels, 0) : nullptr;
    TileWork work = work_of(kernel, b, weights, step);
    work.panels = at(panel, step);
    work.panel_count = std::min<std::int64_t>(2, b.panels - panel);
    if (stay)
      work.next = !last_cut ? at(panel, step + count) : !last_pair ? at(panel + 2, 0) : next_block;
    else
      work.next = !last_pair ? at(panel + 2, step) : !last_cut ? at(0, step + count) : next_block;
    // After the last steps the first ones are wanted again, by the next panels.
    work.next_step = stay ? -1 : !last_cut ? step + count : 0;
    work.pair = pair;
    work.pairs = pairs;
    work.sums = sums + pair % kept * b.rows * kSumBytes;
    work.pending = &pending;
    work.pending_step = (pending.rows + steps_to_end - 1) / steps_to_end;
    kernel.multiply(work);
    if (!last_cut) return;
    kernel.end(pending);
    if (ending != nullptr && (panel + 2) * kPanelColumns <= columns)
      pending = {work.sums, b.rows, 0, ending->at(0, panel * kPanelColumns)};
    else
      finish(work.sums, panel, 0, b.rows);
  };
  if (stay)
    for (std::int64_t pair = 0; pair < pairs; ++pair)
      for (std::int64_t step = 0; step < b.steps; step += b.cut) multiply(pair, step);
  else
    for (std::int64_t step = 0; step < b.steps; step += b.cut)
      for (std::int64_t pair = 0; pair < pairs; ++pair) multiply(pair, step);
  kernel.end(pending);
}

// For words, which keep their rows in the first cache, and for a single strip of tiles: all panels at a time.
template <class Packed, class Finish>
void multiply_panels(const TileKernel& kernel, const Block& b, const SumEnding* ending, const Packed& packed,
                     const Finish& finish) {
  const bool passing = kernel.interleaved && b.cut >= b.steps && b.rows > kernel.rows;
  const std::int64_t kept = passing ? kernel.rows : (b.panels + 1) / 2 * b.rows;
  auto* sums = scratch<std::byte>(Purpose::sums, static_cast<std::size_t>(kept * kSumBytes));
  for (std::int64_t step = 0; step < b.steps; step += b.cut) {
    const std::int64_t count = std::min(b.cut, b.steps - step);
    const bool last = step + count == b.steps;
    const PackedPanels weights = packed(step, count);
    TileWork work = work_of(kernel, b, weights, step);
    work.next = !weights.lasting                ? nullptr
                : !last                         ? weights.first + count * kPanelStep
                : weights.following >= b.panels ? weights.first - step * kPanelStep + b.panels * weights.stride
                                                : nullptr;
    work.next_step = -1;
    work.start = b.start;
    work.sums = sums;
    const auto finish_rows = [&](const std::byte* complete, std::int64_t pair, std::int64_t from, std::int64_t some) {
      finish(complete, 2 * pair, from, some);
    };
    if (last && kernel.interleaved) {
      if (ending != nullptr) {
        work.out = reinterpret_cast<const std::byte*>(ending->results.y);
        work.out_stride = ending->results.stride * 4;
      }
      work.context = &finish_rows;
      work.finish = [](const void* context, const std::byte* complete, std::int64_t pair, std::int64_t from,
                       std::int64_t some) {
        (*static_cast<const decltype(finish_rows)*>(context))(complete, pair, from, some);
      };
    }
    kernel.multiply(work);
    for (std::int64_t pair = 0; last && !kernel.interleaved && 2 * pair < b.panels; ++pair)
      finish_rows(sums + pair * b.rows * kSumBytes, pair, 0, b.rows);
  }
}

// packed(first_step, steps) gives the weights of a block at first_step; weights by which tiles multiply several strips
// are lasting. finish(sums, panel, row, count) takes the sums [count][32] of some rows of a pair of panels to results.
// Where these are what `ending` says, from the block's first result on and for `columns` columns, tiles may do so
// instead; null: they may not.
template <class Packed, class Finish>
void multiply_block(const TileKernel& kernel, const Block& block, const SumEnding* ending, std::int64_t columns,
                    const Packed& packed, const Finish& finish) {
  const ReleasedKernel released{kernel};
  if (kernel.interleaved || block.rows <= kernel.rows)
    multiply_panels(kernel, block, ending, packed, finish);
  else
    multiply_pairs(kernel, block, ending, columns, packed, finish);
}

}  // namespace octavo::gemm
