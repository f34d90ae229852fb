// One call of attention, checked and taken apart: what the schedule divides and the blocks compute.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octavo/attention.hpp"

namespace octavo::attention_kernels {

// A float32 tensor [B, H, L, D] whose last dimension is contiguous.
struct Operand {
  const float* first = nullptr;
  std::int64_t batch_stride = 0, head_stride = 0, row_stride = 0;
  const float* at(std::int64_t batch, std::int64_t head, std::int64_t row) const noexcept {
    return first + batch * batch_stride + head * head_stride + row * row_stride;
  }
};

// Keys or values [B, Hkv, Lk, D] whose last dimension is contiguous: f32, bf16, or s8 with a scale for each row.
struct Stored {
  const std::byte* first = nullptr;
  DType dtype = DType::f32;
  std::int64_t batch_stride = 0, head_stride = 0, row_stride = 0;  // in elements
  const float* scale = nullptr;                                    // [B, Hkv, Lk], its last dimension contiguous
  std::int64_t scale_batch_stride = 0, scale_head_stride = 0;

  template <class T>
  const T* at(std::int64_t batch, std::int64_t head, std::int64_t row) const noexcept {
    return reinterpret_cast<const T*>(first) + batch * batch_stride + head * head_stride + row * row_stride;
  }
  float scale_at(std::int64_t batch, std::int64_t head, std::int64_t row) const noexcept {
    return scale[batch * scale_batch_stride + head * scale_head_stride + row];
  }
};

// An explicit mask [B|1, Hq|1, Lq, Lk], contiguous; one of the two is set.
struct ExplicitMask {
  const float* added = nullptr;           // to the scores; -infinity hides
  const std::uint8_t* visible = nullptr;  // 0 hides
  std::int64_t batch_stride = 0, head_stride = 0;
};

struct Problem {
  Operand q;
  Stored k, v;
  float* out = nullptr;  // [B, Lq, Hq, D], contiguous
  std::int64_t batches = 0, heads = 0, kv_heads = 0, q_len = 0, kv_len = 0, width = 0;
  float scale = 1;
  const Mask* mask = nullptr;
  ExplicitMask explicit_mask;  // where mask is a tensor

  // Query heads that share a key/value head.
  std::int64_t group() const noexcept { return heads / kv_heads; }
};

}  // namespace octavo::attention_kernels
