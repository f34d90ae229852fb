// A weight in bf16, packed once: the panels that tiles read (panels.hpp: [K/2][16][2]).
#pragma once

#include <cstddef>
#include <cstdint>

#include "octavo/tensor.hpp"
#include "panels.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

class FloatPanels {
 public:
  // weight [N,K] bf16, contiguous; neither extent 0. AVX512BW. Throws out_of_memory.
  FloatPanels(const void* weight, std::int64_t n, std::int64_t k);
  const std::byte* panel(std::int64_t index) const noexcept { return memory_.get() + index * stride_; }
  std::int64_t stride() const noexcept { return stride_; }  // bytes from panel to panel
  std::size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  std::int64_t stride_;
  std::size_t size_bytes_;
  AlignedBytes memory_;
};

}  // namespace octavo::gemm
