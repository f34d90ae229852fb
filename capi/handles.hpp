// What the opaque handles of octavo.h hold.
#pragma once

#include <atomic>
#include <memory>
#include <octavo/attention.hpp>
#include <octavo/gemm.hpp>
#include <octavo/model.hpp>
#include <octavo/prefix_cache.hpp>
#include <octavo/quant.hpp>
#include <octavo/tensor.hpp>
#include <optional>

#include "octavo.h"

struct octavo_cancel {
  std::atomic<bool> flag{false};
};
struct octavo_tensor {
  octavo::Tensor value;
};
struct octavo_hessian {
  octavo::HessianAccumulator value;
  octavo::Tensor sums{};  // [K,K] since it was used
};
struct octavo_linear {
  octavo::Linear value;
};
struct octavo_kv_cache {
  octavo::KvCache value;
};
struct octavo_prefix_cache {
  std::shared_ptr<octavo::PrefixCache> value;
};
struct octavo_model {
  octavo::Model value;
};
struct octavo_prompt {
  octavo::ModelInput value;
};

namespace octavo::capi {

inline const std::atomic<bool>* flag_of(const octavo_cancel* cancel) {
  return cancel == nullptr ? nullptr : &cancel->flag;
}
const Tensor& tensor_of(const octavo_tensor* tensor, const char* name);
/// Of OCTAVO_F32 .. OCTAVO_I64. @throws Error  invalid_argument for any other number.
DType dtype_from(int32_t value);

}  // namespace octavo::capi
