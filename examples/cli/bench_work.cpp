#include "bench_work.hpp"

namespace cli {

namespace {

double dim(const octavo::ObservedOperation& operation, std::string_view letter) {
  for (const octavo::ObservedDim& each : operation.dims)
    if (each.letter == letter) return static_cast<double>(each.value);
  throw octavo::Error(octavo::ErrorCode::internal,
                      "bench: " + std::string(operation.contract) + " has no dimension " + std::string(letter));
}

double size(const octavo::ObservedValue& value) { return static_cast<double>(value.shape.numel()); }

double bytes(const octavo::ObservedValue& value) {
  return size(value) * static_cast<double>(octavo::size_of(value.dtype));
}

}  // namespace

WorkCounter::WorkCounter(const octavo::Model& model, const octavo::ModelOptions& options,
                         std::span<const octavo::Grid> grids)
    : options_(options) {
  const octavo::Json& config = model.checkpoint().config();
  if (const auto vision = config.find("vision_config")) vision_config_ = *vision;
  if (grids.empty()) return;
  const octavo::WindowIndex windows =
      octavo::window_index(grids, vision_config_.get_int("window_size", 112), vision_config_.get_int("patch_size", 14),
                           vision_config_.get_int("spatial_merge_size", 2));
  for (std::size_t i = 1; i < windows.cu_window_seqlens.size(); ++i) {
    const double length = windows.cu_window_seqlens[i] - windows.cu_window_seqlens[i - 1];
    pairs_in_windows_ += length * length;
  }
}

void WorkCounter::on_operation(const octavo::ObservedOperation& operation) {
  const bool multiplies = operation.operation == "linear" || operation.operation == "linear_w8a8" ||
                          operation.operation == "linear_w8a16" || operation.operation == "patch_embed";
  if (multiplies && operation.module_path == "lm_head") head_steps_.push_back(steps_.size());
  if (multiplies) steps_.push_back(product(operation));
  if (operation.operation == "attention") steps_.push_back(attention(operation));
}

void WorkCounter::read_of_head(double bytes) {
  for (const std::size_t step : head_steps_) steps_[step].bytes = bytes;
}

octavo::FloatMath WorkCounter::math_of(const octavo::ObservedOperation& operation) const {
  return operation.module_path.rfind("visual", 0) == 0 ? options_.vision_math : options_.language_math;
}

Work WorkCounter::product(const octavo::ObservedOperation& operation) const {
  const double rows = dim(operation, operation.operation == "patch_embed" ? "P" : "M");
  const bool rounds_rows = math_of(operation) == octavo::FloatMath::bf16;
  Work work;
  for (const octavo::ObservedValue& value : operation.arguments) {
    if (!value.is_weight) continue;
    work.bytes += bytes(value);
    if (value.shape.rank() < 2) continue;  // bias, scales
    (operation.operation == "linear_w8a8" ? work.int8
     : value.dtype == octavo::DType::f32  ? work.f32
     : rounds_rows                        ? work.bf16
     : value.dtype == octavo::DType::s8   ? work.f32_by_int8
                                          : work.f32_by_bf16) += 2 * rows * size(value);
  }
  return work;
}

Work WorkCounter::attention(const octavo::ObservedOperation& operation) const {
  const double q_len = dim(operation, "Lq"), kv_len = dim(operation, "Lk");
  const bool vision = operation.module_path.rfind("visual", 0) == 0;
  const double pairs = !vision                              ? q_len * (kv_len - (q_len - 1) / 2)
                       : is_windowed(operation.module_path) ? pairs_in_windows_
                                                            : q_len * kv_len;
  Work work;
  work.exps = dim(operation, "B") * dim(operation, "Hq") * pairs;
  (math_of(operation) == octavo::FloatMath::bf16 ? work.bf16 : work.f32) = 4 * work.exps * dim(operation, "D");
  for (const octavo::ObservedValue& value : operation.arguments)
    if (value.name == "k" || value.name == "v") work.bytes += bytes(value);
  return work;
}

// "visual.blocks.7.attn", and whether config.json lists 7 among the blocks that see all patches.
bool WorkCounter::is_windowed(std::string_view module_path) const {
  constexpr std::string_view kBlocks = "visual.blocks.";
  if (module_path.rfind(kBlocks, 0) != 0) return false;
  const std::int64_t block = std::stoll(std::string(module_path.substr(kBlocks.size())));
  const auto full = vision_config_.find("fullatt_block_indexes");
  for (std::size_t i = 0; full && i < full->size(); ++i)
    if (full->at(i).as_int() == block) return false;
  return true;
}

}  // namespace cli
