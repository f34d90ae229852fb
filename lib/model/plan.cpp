#include "octavo/plan.hpp"

#include <array>
#include <string>

#include "plan_calls.hpp"
#include "runtime_model.hpp"

namespace octavo {

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
  const model::FoundArchitecture found = model::find_architecture(checkpoint);
  std::unique_ptr<model::RuntimeModel> runtime = model::RuntimeModel::open_without_data(checkpoint, found);
  ModelPlan plan;
  plan.model_type = found.model_type;
  plan.weight_bytes = runtime->weight_bytes();
  plan.kv_cache_bytes_per_position = runtime->new_cache(1).size_bytes();
  if (!options.every_block) runtime = runtime->with_distinct_blocks();
  model::PlanCalls(*runtime, options, plan, problems).run();
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
  const std::shared_ptr<const Architecture> architecture = read_architecture(checkpoint.config());
  model::require_plausible_blocks(checkpoint, *architecture);
  return architecture->tensor_parallel_dims(checkpoint, ranks);
}

}  // namespace octavo
