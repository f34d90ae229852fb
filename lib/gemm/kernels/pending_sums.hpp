// Sums that are complete and not results yet. A kernel of tiles ends some of them at every step of the next products:
// while tiles are multiplied nothing else is to do, so that ending them takes next to no time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ending.hpp"

namespace octavo::gemm {

// What becomes of sums, by data. Whole lines of results may go past the caches: where reading each line before it is
// written takes longer than whoever uses them next loses by reading them from farther away.
struct SumEnding {
  const float* tokens;  // of each row of int8; null: float sums
  Results results;
  bool past_caches;  // then results begin at multiples of 64 bytes, and the ending reads no y

  SumEnding at(std::int64_t row, std::int64_t column) const {
    return {tokens == nullptr ? nullptr : tokens + row, results.at(row, column), past_caches};
  }
};

// Of one pair of panels.
struct PendingSums {
  const std::byte* sums = nullptr;  // [rows][32] words
  std::int64_t rows = 0;
  std::int64_t ended = 0;  // rows, the first ones
  SumEnding ending{};      // of the first row and column
};

}  // namespace octavo::gemm
