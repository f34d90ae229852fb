#include "octavo/plan.hpp"

#include <array>
#include <string>

#include "architecture.hpp"

namespace octavo {

std::uint64_t PlanTensor::size_bytes() const noexcept {
  return static_cast<std::uint64_t>(shape.numel()) * size_of(dtype);
}

const char* call_kind_name(CallKind kind) noexcept {
  static constexpr std::array<const char*, 7> kNames{"prefill",     "decode",        "uncached",    "chunk",
                                                     "second_turn", "batch_prefill", "batch_decode"};
  return kNames[static_cast<std::size_t>(kind)];
}

const PlannedCall* ModelPlan::find(CallKind kind) const noexcept {
  for (const PlannedCall& call : calls)
    if (call.kind == kind) return &call;
  return nullptr;
}

std::uint64_t ModelPlan::total_bytes(const PlannedCall& call) const noexcept {
  return weight_bytes + call.kv_cache_bytes + call.peak_activation_bytes;
}

ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options, std::vector<Error>& problems) {
  const model::ArchitectureEntry& entry = model::find_architecture(checkpoint);
  ModelPlan plan;
  plan.model_type = entry.model_type;
  entry.plan(checkpoint, options, plan, problems);
  return plan;
}

ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options) {
  std::vector<Error> problems;
  ModelPlan plan = plan_model(checkpoint, options, problems);
  if (!problems.empty()) throw Error(problems.front());
  return plan;
}

std::vector<ParallelDim> tensor_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks) {
  if (ranks < 1 || ranks > 1024) {
    throw Error(ErrorCode::invalid_argument,
                "tensor parallel: " + std::to_string(ranks) + " ranks were asked for, it must be 1 to 1024");
  }
  return model::find_architecture(checkpoint).tensor_parallel_dims(checkpoint, ranks);
}

}  // namespace octavo
