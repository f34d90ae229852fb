// Rows of float32 as the kernels of float products read them.
#pragma once

#include <cstdint>

#include "fixed_point.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

// What a row of float32 becomes before it is multiplied.
//   f32         itself
//   one_bf16    rounded: off by at most 2^-8 |x|
//   three_bf16  cut into 8 + 8 + 8 bits of significand, which leaves no rest
//   digits      kFixedDigits rows of signed bytes (fixed_point.hpp)
enum class RowForm : std::uint8_t { f32, one_bf16, three_bf16, digits };

// Rows of a kernel that one row of x is.
inline std::int64_t kernel_rows_of(RowForm form) { return form == RowForm::digits ? kFixedDigits : 1; }

struct PreparedFloats : PreparedRows {
  const FixedRow* fixed;  // [count] what each row's digits stand for; null in other forms
};

// x[count,K] for a kernel that takes `steps` steps of K, in the calling thread's working memory: Purpose::rows. Rows
// without digits are zeros.
PreparedFloats prepare_floats(const TileKernel& kernel, RowForm form, std::int64_t steps, const float* x,
                              std::int64_t count, std::int64_t k);

}  // namespace octavo::gemm
