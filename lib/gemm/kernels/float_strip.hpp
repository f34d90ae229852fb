// What one instruction set has to provide for float products; float_product.cpp does the rest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octavo/tensor.hpp"

namespace octavo::gemm {

// sums[rows][panels * 16] = a[rows] * panels over steps of 64 bytes of the panels' K, or += where `add`.
struct FloatStrip {
  const std::byte* a;         // as the kernel wants its rows
  std::int64_t a_stride;      // bytes between rows
  std::int64_t part_stride;   // bytes between the parts of rows
  std::int64_t rows;          // 1 to FloatKernel::rows
  const std::byte* weights;   // first panel
  std::int64_t panel_stride;  // bytes between panels
  std::int64_t panels, steps;
  float* sums;               // 64-byte aligned
  std::int64_t sums_stride;  // of rows, in sums
  bool add;
};

// How a kernel takes its rows.
enum class RowForm : std::uint8_t {
  interleaved_f32,  // [K][rows]
  split_bf16,       // three bf16 whose sum is the float32, one [rows][K] after the other
  rounded_bf16,     // [rows][K], rounded half to even
};

struct FloatKernel {
  std::int64_t rows;  // of a strip
  RowForm form;
  DType panels;            // f32 or bf16
  std::int64_t max_steps;  // longer sums are cut, so that the operands of a block stay in the second cache
  void (*strip)(const FloatStrip&);
};

extern const FloatKernel kAvx512FmaKernel;
extern const FloatKernel kAmxSplitKernel;    // float32's precision
extern const FloatKernel kAmxRoundedKernel;  // bf16's

}  // namespace octavo::gemm
