// The inner loops of attention on the bf16 units of AMX: operands are rounded to bf16 (nearest, ties to even), sums are
// float32. TDPBF16PS adds products in an order of its own (Intel Architecture Instruction Set Extensions Programming
// Reference), so sums differ from those of float32 loops over the same rounded numbers in the last digits.
#pragma once

#include <cstdint>

namespace octavo::attention_kernels {

inline constexpr std::int64_t kBf16Rows = 32;   // of a tile; memory for rows is padded to a multiple of 16
inline constexpr std::int64_t kBf16Depth = 32;  // numbers that one instruction multiplies: columns of q, then keys

struct Bf16Kernels {
  // Between start and stop the calling thread's tiles are set up; the next three need it.
  void (*start)();
  void (*stop)();

  // to[i] = bf16(scale * from[i]).
  void (*round)(const float* from, std::int64_t count, float scale, std::uint16_t* to);
  // Keys [keys, width] and values [keys, padded_width], f32, `stride` apart, in the order in which AMX reads them. keys
  // is a multiple of 16 for keys and of 32 for values, width one of 32, padded_width one of 16.
  void (*pack_keys)(const float* rows, std::int64_t stride, std::int64_t keys, std::int64_t width, std::uint16_t* to);
  void (*pack_values)(const float* rows, std::int64_t stride, std::int64_t keys, std::int64_t padded_width,
                      std::uint16_t* to);

  // scores[r * kKeyBlock + j] = sum_c q[r * width + c] * key j [c], for 16 or 32 rows and `padded_keys` keys, a
  // multiple of 16; width is one of 32.
  void (*scores)(const std::uint16_t* q, std::int64_t rows, const std::uint16_t* keys, std::int64_t padded_keys,
                 std::int64_t width, float* scores);
  // out[r * padded_width + c] += sum_j weights[r * kKeyBlock + j] * value j [c], for 16 or 32 rows and `padded_keys` of
  // the `packed_keys` packed keys, multiples of 32.
  void (*accumulate)(const std::uint16_t* weights, std::int64_t rows, std::int64_t padded_keys,
                     const std::uint16_t* values, std::int64_t packed_keys, std::int64_t padded_width, float* out);
};

// Null where the file was compiled for a processor without AMX.
const Bf16Kernels* amx_kernels() noexcept;
// What attention uses for bf16; null where this processor or operating system has no AMX, or kernels were forced.
const Bf16Kernels* bf16_kernels() noexcept;

}  // namespace octavo::attention_kernels
