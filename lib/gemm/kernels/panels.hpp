// The layout of packed weights that all kernels here share, whatever the type: panels of 16 rows of the weight (columns
// of the result), each [K / per_word][16 columns][per_word] where a word of 32 bits holds per_word values along K: four
// bytes, two bf16 or one float. One 64-byte line then feeds one vector instruction, 16 lines one tile, and a panel is
// read from one end to the other.
#pragma once

#include <cstdint>

namespace octavo::gemm {

inline constexpr std::int64_t kPanelColumns = 16;
inline constexpr std::int64_t kStepBytes = 64;  // of K per step: 16 words, the height of a tile

inline std::int64_t steps_of(std::int64_t row_bytes) { return (row_bytes + kStepBytes - 1) / kStepBytes; }
inline std::int64_t panel_bytes(std::int64_t row_bytes) { return steps_of(row_bytes) * kStepBytes * kPanelColumns; }

// Writes one panel of `rows` <= 16 rows, row_stride bytes apart; what lies beyond rows and row_bytes becomes 0.
// AVX512BW.
void pack_panel(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* panel);

}  // namespace octavo::gemm
