// The layout of packed weights that all kernels here share, whatever the type: panels of 16 rows of the weight (columns
// of the result), each [K / per_word][16 columns][per_word] where a word of 32 bits holds per_word values along K: four
// bytes, two bf16 or one float. One 64-byte line then feeds one vector instruction, 16 lines one tile, and a panel is
// read from one end to the other.
#pragma once

#include <cstdint>

namespace octavo::gemm {

inline constexpr std::int64_t kPanelColumns = 16;
inline constexpr std::int64_t kStepBytes = 64;  // of K per step: 16 words, the height of a tile

inline constexpr std::int64_t kPanelStep = kStepBytes * kPanelColumns;  // bytes of a panel's step

inline std::int64_t steps_of(std::int64_t row_bytes) { return (row_bytes + kStepBytes - 1) / kStepBytes; }
inline std::int64_t panel_bytes(std::int64_t row_bytes) { return steps_of(row_bytes) * kPanelStep; }

// Rows of the other operand for kernels that take a word of each row at a time: [words][rows] for strips of up to 12
// rows, so many that 24 sums, two weights and a word fill the registers of AVX-512.
inline constexpr std::int64_t kInterleavedRows = 12;
inline std::int64_t interleaved_bytes(std::int64_t row_bytes) {  // of a whole strip
  return steps_of(row_bytes) * kStepBytes * kInterleavedRows;
}

// Writes one strip of up to 12 rows, its K rounded up to whole steps by zeros; then every byte is xored with that of
// `flip`.
void interleave_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                     std::uint8_t flip, void* strip);

// The same of int8 rows, widened to int16: the values 0 and 2 of a word, then 1 and 3. Twice as many bytes.
void interleave_wide_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                          void* strip);

// Rows for tiles, in strips of up to 32: [steps][rows][64 bytes], the last step filled up with zeros.
inline constexpr std::int64_t kLineRows = 32;
void lines_of_rows(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* lines);

// Writes one panel of `rows` <= 16 rows, row_stride bytes apart; what lies beyond rows and row_bytes becomes 0,
// and then every byte is xored with `flip`.
void pack_panel(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* panel,
                std::uint8_t flip = 0);

// The two that have a form for AVX-512, without it.
void interleave_rows_plain(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes,
                           std::uint8_t flip, void* strip);
void pack_panel_plain(const void* from, std::int64_t row_stride, std::int64_t rows, std::int64_t row_bytes, void* panel,
                      std::uint8_t flip);

}  // namespace octavo::gemm
