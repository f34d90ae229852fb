// What one instruction set has to provide for the int8 product; s8_panels.cpp does the rest.
#pragma once

#include <cstdint>

namespace octavo::gemm {

// sums[rows][panels * 16] = start + a[rows][steps * 64] * panels, or += where `add`. Exact: sums wrap modulo 2^32 on
// the way and end within it.
struct S8Strip {
  const std::int8_t* a;        // as the kernel wants its rows
  std::int64_t a_stride;       // bytes between rows
  std::int64_t rows;           // 1 to S8Kernel::rows
  const std::int8_t* weights;  // first panel, at the first step
  std::int64_t panel_stride;   // bytes between panels
  std::int64_t panels, steps;
  const std::int32_t* start;  // [panels * 16], for kernels whose rows are unsigned
  std::int32_t* sums;         // 64-byte aligned
  std::int64_t sums_stride;   // of rows, in sums
  bool add;
};

struct S8Kernel {
  std::int64_t rows;  // of a strip
  // Rows are wanted as unsigned bytes a + 128, interleaved by words; `start` takes 128 * sum(w) away.
  bool interleaved;
  std::int64_t max_steps;  // longer sums are cut, so that the operands of a block stay in the second cache
  void (*strip)(const S8Strip&);
};

extern const S8Kernel kAvx512VnniKernel;
extern const S8Kernel kAmxInt8Kernel;

}  // namespace octavo::gemm
