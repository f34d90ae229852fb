// What the opaque handles of octavo.h hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <octavo/attention.hpp>
#include <octavo/gemm.hpp>
#include <octavo/model.hpp>
#include <octavo/output_form.hpp>
#include <octavo/prefix_cache.hpp>
#include <octavo/quant.hpp>
#include <octavo/running_batch.hpp>
#include <octavo/session.hpp>
#include <octavo/tensor.hpp>
#include <optional>
#include <string>
#include <vector>

#include "in_use.hpp"
#include "octavo.h"

struct octavo_cancel {
  std::shared_ptr<std::atomic<bool>> flag = std::make_shared<std::atomic<bool>>(false);  // also of threads that use it
};
struct octavo_image {
  std::shared_ptr<const octavo::Image> value;
};
struct octavo_messages {
  std::vector<octavo::ChatMessage> value{};
};
struct octavo_prompt {
  octavo::ModelInput value;
};
struct octavo_tensor {
  octavo::Tensor value;
};
struct octavo_hessian {
  octavo::HessianAccumulator value;
  octavo::Tensor sums{};  // [K,K] since it was used
  octavo::capi::Caller caller{};
};
struct octavo_linear {
  octavo::Linear value;
};
struct octavo_kv_cache {
  octavo::KvCache value;
  octavo::capi::Caller caller{};
};
struct octavo_prefix_cache {
  std::shared_ptr<octavo::PrefixCache> value;
};
struct octavo_output_form {
  octavo::OutputForm value;
};
struct octavo_form_state {
  octavo::FormState value;
};
struct octavo_model {
  octavo::Model value;
};
struct octavo_session {
  octavo::Session value;
  octavo::Tensor logits{};  // that were last asked for
  mutable octavo::capi::Caller caller{};
};
struct octavo_sampler {
  octavo::TokenSampler value;
};
struct octavo_batch {
  octavo::RunningBatch value;
  std::map<std::uint64_t, std::unique_ptr<octavo_generate_options>> options{};  // which callbacks refer to
  std::deque<octavo::RunningBatch::Finished> finished{};                        // and not taken yet
  std::string message{};                                                        // of the last that was taken
  mutable octavo::capi::Caller caller{};
};

namespace octavo::capi {

inline const std::atomic<bool>* flag_of(const octavo_cancel* cancel) {
  return cancel == nullptr ? nullptr : cancel->flag.get();
}
const Tensor& tensor_of(const octavo_tensor* tensor, const char* name);
/// Of OCTAVO_F32 .. OCTAVO_I64. @throws Error  invalid_argument for any other number.
DType dtype_from(int32_t value);

}  // namespace octavo::capi
