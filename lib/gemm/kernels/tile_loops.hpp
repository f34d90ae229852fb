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

inline constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // bytes of memory read by a part, some 10 us

inline constexpr std::int64_t kFewBlockRows = 96;       // where there are too few panels to share
inline constexpr std::int64_t kPanelsOfOneStrip = 128;  // each of four streams then runs through a MiB or more
inline constexpr std::int64_t kMostParts = 4;           // of each thread
inline constexpr std::int64_t kRowsThatStay = std::int64_t{3}
                                              << 18;  // bytes of a block's rows that a second cache keeps

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
  // Every part of many rows reads them again.
  const std::int64_t least = few ? 1 : (groups * down + kMostParts * num_threads() - 1) / (kMostParts * num_threads());
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

// One block: rows [row, row + rows) by `panels` panels, `cut` steps of K after the other. packed(first_step, steps)
// gives their weights at first_step; finish(sums, panel, row, count) takes the sums [count][32] of some rows of a pair
// of panels. `out` is where it will write 4 bytes for each sum, its rows out_stride bytes apart: fetched in time where
// it is not null.
template <class Packed, class Finish>
void multiply_block(const TileKernel& kernel, const PreparedRows& x, std::int64_t row, std::int64_t rows,
                    std::int64_t steps, std::int64_t cut, std::int64_t panels, const std::int32_t* start,
                    const void* out, std::int64_t out_stride, const Packed& packed, const Finish& finish) {
  // Panels of one call. A kernel of words keeps its rows in the first cache, one of tiles its panels.
  const std::int64_t together = kernel.interleaved || rows <= kernel.rows ? panels : 2;
  const bool handed_over = kernel.interleaved || together == 2;  // sums, by the kernel itself
  const std::int64_t kept = cut < steps || rows <= kernel.rows ? (panels + 1) / 2 * rows
                            : kernel.interleaved               ? kernel.rows
                                                               : (together + 1) / 2 * rows;
  auto* sums = scratch<std::byte>(Purpose::sums, static_cast<std::size_t>(kept * kSumBytes));
  const ReleasedKernel released{kernel};
  const bool rows_stay = kernel.parts * rows * steps * 64 <= kRowsThatStay;
  for (std::int64_t step = 0; step < steps; step += cut) {
    const std::int64_t count = std::min(cut, steps - step);
    const PackedPanels weights = packed(step, count);
    const bool last = step + count == steps;
    for (std::int64_t panel = 0; panel < panels; panel += together) {
      TileWork work{};
      work.rows = x.strips + row / kernel.rows * x.strip_stride;
      work.strip_stride = x.strip_stride;
      work.row_count = rows;
      work.panels = weights.first + panel * weights.stride;
      work.panel_stride = weights.stride;
      work.panel_count = std::min(together, panels - panel);
      work.next = !weights.lasting                ? nullptr
                  : panel + together < panels     ? work.panels + together * weights.stride
                  : !last                         ? weights.first + count * kPanelStep
                  : weights.following >= together ? weights.first - step * kPanelStep + panels * weights.stride
                                                  : nullptr;
      // After the last steps the first ones are wanted again, by the next panels.
      work.next_step = !weights.lasting || rows_stay ? -1 : !last ? step + count : 0;
      work.pair = panel / 2;
      work.pairs = (panels + 1) / 2;
      work.out = last && out != nullptr ? static_cast<const std::byte*>(out) + panel * kPanelColumns * 4 : nullptr;
      work.out_stride = out_stride;
      work.first_step = step;
      work.steps = count;
      work.start = start == nullptr ? nullptr : start + panel * kPanelColumns;
      work.sums = cut < steps ? sums + panel / 2 * rows * kSumBytes : sums;
      work.add = step > 0;
      const auto finish_rows = [&](const std::byte* complete, std::int64_t pair, std::int64_t from, std::int64_t some) {
        finish(complete, panel + 2 * pair, from, some);
      };
      if (last && handed_over) {
        work.context = &finish_rows;
        work.finish = [](const void* context, const std::byte* complete, std::int64_t pair, std::int64_t from,
                         std::int64_t some) {
          (*static_cast<const decltype(finish_rows)*>(context))(complete, pair, from, some);
        };
      }
      kernel.multiply(work);
      for (std::int64_t pair = 0; last && !handed_over && 2 * pair < work.panel_count; ++pair)
        finish_rows(work.sums + pair * rows * kSumBytes, pair, 0, rows);
    }
  }
}

}  // namespace octavo::gemm
