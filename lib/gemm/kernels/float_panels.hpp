// Weights in bf16 or int8, packed once. Those of bf16 lie in the panels that its tiles read (panels.hpp: [K/2][16][2]);
// those of int8 take half of it, [K][16] bytes, and are widened a block at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octavo/tensor.hpp"
#include "panels.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

class FloatPanels {
 public:
  // weight [N,K], contiguous, bf16 or s8; neither extent 0. AVX512BW. Throws out_of_memory.
  FloatPanels(const void* weight, DType dtype, std::int64_t n, std::int64_t k);
  DType dtype() const noexcept { return dtype_; }
  const std::byte* panel(std::int64_t index) const noexcept { return memory_.get() + index * stride_; }
  std::int64_t stride() const noexcept { return stride_; }  // bytes from panel to panel
  std::size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  DType dtype_;
  std::int64_t stride_;
  std::size_t size_bytes_;
  AlignedBytes memory_;
};

// `steps` steps of the bf16 panel that a panel of int8 stands for, from step `first`. Exact: 8 bits of significand hold
// every byte. AVX512BW.
void widen_panel(const std::byte* panel, std::int64_t first, std::int64_t steps, std::byte* to);

}  // namespace octavo::gemm
