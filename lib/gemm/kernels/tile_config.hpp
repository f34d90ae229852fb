// The shapes of AMX's tiles while products of up to 32 rows run: 0 to 3 sums, 4 and 5 rows, 6 and 7 weights.
#pragma once

#include <cstdint>

#include "cpu.hpp"

#ifdef OCTAVO_AMX
#include <immintrin.h>

namespace octavo::gemm {

// Rows of the configuration that this thread's tiles have; 0: none. What one product leaves serves the next.
inline thread_local std::int64_t configured_rows = 0;

// The first 16 rows are in tiles 0, 1 and 4, the others in 2, 3 and 5; for up to 16 rows all sums are of them.
__attribute__((target("amx-tile"))) inline void configure_tiles(std::int64_t rows) {
  if (configured_rows == rows) return;
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, unused[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  } shape;
  const auto first = static_cast<std::uint8_t>(rows < 16 ? rows : 16);
  const auto second = static_cast<std::uint8_t>(rows > 16 ? rows - 16 : first);
  const std::uint8_t heights[8] = {first, first, second, second, first, second, 16, 16};
  for (int i = 0; i < 8; ++i) {
    shape.row_bytes[i] = 64;
    shape.rows[i] = heights[i];
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(shape));  // GCC's intrinsic does not say that it reads all of it
  configured_rows = rows;
}

// Threads do not carry 8 KiB of tiles around between products; and what they have written past the caches others may
// read from here on.
__attribute__((target("amx-tile"))) inline void release_tiles() {
  _tile_release();
  _mm_sfence();
  configured_rows = 0;
}

}  // namespace octavo::gemm
#endif
