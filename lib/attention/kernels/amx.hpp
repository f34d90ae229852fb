// The inner loops of attention on the bf16 units of AMX. A float stands there as one bf16 (rounded to nearest, ties to
// even) or as the sum of three (24 bits of significand cut into 8 + 8 + 8, which leaves no rest). Of the nine products
// of two numbers in three parts the six largest are added; the others are below 2^-24 of the whole, so that the result
// has float32's precision. Sums are float32.
//
// TDPBF16PS adds products in an order of its own (Intel Architecture Instruction Set Extensions Programming Reference)
// and takes denormal operands and sums for 0, so sums differ from those of float32 loops in the last digits. Operands
// that are not finite have no three parts: callers multiply their blocks otherwise.
#pragma once

#include <cstdint>

namespace octavo::attention_kernels {

inline constexpr std::int64_t kAmxRows = 32;   // of a tile; memory for rows is padded to a multiple of 16
inline constexpr std::int64_t kAmxDepth = 32;  // numbers that one instruction multiplies: columns of q, then keys

// Layouts, in bf16; `depth` is the width, padded to a multiple of kAmxDepth:
//   rows of q   [part][row of kAmxRows][depth]                                  a tile each
//   weights     [part][row of kAmxRows][kKeyBlock]                              a tile's, within 32 keys in an order of
//                                                                               their own: 0, 16, 1, 17, ... 15, 31
//   keys        [panel of 16 keys][32 columns][part][pair of columns][key][2]
//   values      [panel of 16 columns][32 keys][part][pair of keys][column][2]   keys in the order of the weights
struct AmxKernels {
  int parts;  // bf16 that stand for a float, 1 or 3

  // Between start and stop the calling thread's tiles are set up; scores and accumulate need it.
  void (*start)();
  void (*stop)();

  // Row `row` of a tile of q, times `scale`; what lies behind `width` columns is 0.
  void (*pack_query)(const float* from, std::int64_t width, float scale, std::int64_t row, std::uint16_t* tile);
  // A block's `count` rows of `width` floats, `stride` apart; what is padded is 0. Keys up to a multiple of 32, columns
  // of keys up to one of 32, of values to one of 16. False where not all are finite.
  bool (*pack_keys)(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, std::uint16_t* to);
  bool (*pack_values)(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width,
                      std::uint16_t* to);

  // scores[r * kKeyBlock + j] = sum_c q[r][c] * key j [c], for 16 or 32 rows and `padded_keys` keys, a multiple of 32.
  void (*scores)(const std::uint16_t* q, std::int64_t rows, const std::uint16_t* keys, std::int64_t padded_keys,
                 std::int64_t depth, float* scores);

  // One step of the online softmax over scores[count, padded_keys], as Kernels::softmax's, but that weights go to
  // `weights` and that largest[r] is brought up to date only where a score exceeds it by more than kOutgrown: sums then
  // need no scaling, and weights stay below exp(kOutgrown). Weights are within 1.1 ulp of exp where they have three
  // parts, within 2^-13 of themselves before they are rounded to one.
  void (*softmax)(float* scores, std::int64_t count, const std::int64_t* visible, std::int64_t padded_keys,
                  float* largest, float* sum, float* factor, std::uint16_t* weights);

  // out[r * padded_width + c] = factor[r] * out[r * padded_width + c] + sum_j weights[r][j] * value j [c], for 16 or 32
  // rows and `padded_keys` of the `packed_keys` packed keys, multiples of 32. Rows from `count` on have no factor.
  void (*accumulate)(const std::uint16_t* weights, std::int64_t count, std::int64_t padded_keys,
                     const std::uint16_t* values, std::int64_t packed_keys, std::int64_t padded_width,
                     const float* factor, float* out);
};

inline constexpr float kOutgrown = 4;

// By FloatMath: parts of exact numbers, or rounded ones. Null where the file was compiled for a processor without AMX.
const AmxKernels* amx_exact() noexcept;
const AmxKernels* amx_rounded() noexcept;

}  // namespace octavo::attention_kernels
