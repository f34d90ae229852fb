// How a product is cut into blocks, by its shape alone: what is computed in which order never depends on the threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "octavo/parallel.hpp"

namespace octavo::gemm {

struct Blocks {
  std::int64_t rows;          // of the product
  std::int64_t panels;        // of 16 columns
  std::int64_t block_rows;    // of a block
  std::int64_t block_panels;  // of a block, even
  std::int64_t pair_cost;     // of block_rows rows by two panels, in bytes read from memory or eight products each
};

inline constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // of such costs, some 10 us

// body(row, rows, panel, panels) over all blocks. Threads share pairs of panels of blocks of rows.
template <class Body>
void for_blocks(const Blocks& blocks, const Body& body) {
  const std::int64_t pairs = (blocks.panels + 1) / 2;
  const std::int64_t down = (blocks.rows + blocks.block_rows - 1) / blocks.block_rows;
  const std::int64_t grain = std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, blocks.pair_cost));
  parallel_for(pairs * down, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t next = begin; next < end;) {  // one block of rows after the other
      const std::int64_t block = next / pairs;
      const std::int64_t stop = std::min(end, (block + 1) * pairs);
      const std::int64_t row = block * blocks.block_rows;
      const std::int64_t last = std::min(blocks.panels, (stop - block * pairs) * 2);
      for (std::int64_t panel = next % pairs * 2; panel < last; panel += blocks.block_panels)
        body(row, std::min(blocks.block_rows, blocks.rows - row), panel, std::min(blocks.block_panels, last - panel));
      next = stop;
    }
  });
}

}  // namespace octavo::gemm
