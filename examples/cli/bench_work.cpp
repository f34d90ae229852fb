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
  if (operation.operation.rfind("linear", 0) == 0) product(operation);
  if (operation.operation == "attention") attention(operation);
  if (operation.operation == "patch_embed")  // a product of pixels in float32 and weights that are not
    for (const octavo::ObservedValue& value : operation.arguments)
      if (value.is_weight) {
        work_.bf16 += 2 * dim(operation, "P") * size(value);
        work_.bytes += bytes(value);
      }
}

void WorkCounter::product(const octavo::ObservedOperation& operation) {
  const bool quantizes_rows = operation.operation.rfind("linear_w8a8", 0) == 0;
  for (const octavo::ObservedValue& value : operation.arguments) {
    if (!value.is_weight) continue;
    work_.bytes += bytes(value);
    if (value.shape.rank() != 2) continue;  // bias, scales
    const bool f32 = value.dtype == octavo::DType::f32;
    (quantizes_rows ? work_.int8 : f32 ? work_.f32 : work_.bf16) += 2 * dim(operation, "M") * size(value);
  }
}

void WorkCounter::attention(const octavo::ObservedOperation& operation) {
  const double q_len = dim(operation, "Lq"), kv_len = dim(operation, "Lk");
  const bool vision = operation.module_path.rfind("visual", 0) == 0;
  const double pairs = !vision                              ? q_len * (kv_len - (q_len - 1) / 2)
                       : is_windowed(operation.module_path) ? pairs_in_windows_
                                                            : q_len * kv_len;
  const octavo::FloatMath math = vision ? options_.vision_math : options_.language_math;
  (math == octavo::FloatMath::bf16 ? work_.bf16 : work_.f32) +=
      4 * dim(operation, "B") * dim(operation, "Hq") * pairs * dim(operation, "D");
  for (const octavo::ObservedValue& value : operation.arguments)
    if (value.name == "k" || value.name == "v") work_.bytes += bytes(value);
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
