// Four patches become one text position: norm, concatenation, two linears; and window order is undone.
#include <cstring>

#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

/// x[G,H] in window order, as the images are: row i goes to row index[i].
Tensor in_image_order(const Tensor& x, const Tensor& index) {
  Tensor y = Tensor::empty_like(x, DType::f32, x.shape());
  if (!y.is_meta()) {
    const std::int64_t width = x.dim(1);
    const std::int64_t* to = index.data<std::int64_t>();
    for (std::int64_t i = 0; i < x.dim(0); ++i)
      std::memcpy(y.mutable_data<float>() + to[i] * width, x.data<float>() + i * width,
                  static_cast<std::size_t>(width) * sizeof(float));
  }
  report_operation(kWindowRestoreContract, "visual.merger", [&](Binder& binder) {
    binder.arg("x", x).arg("index", index).done({{"y", y}});
  });
  return y;
}

Extent merged(const VisionConfig& config) {
  return {config.merged_size(), "vision_config.spatial_merge_size^2 * hidden_size"};
}

}  // namespace

GroupMerger::GroupMerger(WeightSource& weights, const VisionConfig& config, FloatMath math)
    : config_(config),
      ln_q_(load_norm(weights, "visual.merger.ln_q", {config.hidden_size, "vision_config.hidden_size"},
                      VisionConfig::kRmsNormEps)),
      merge1_(load_linear(weights, "visual.merger.mlp.0", "visual.merger.mlp.0_input", merged(config), merged(config),
                          true, math)),
      merge2_(load_linear(weights, "visual.merger.mlp.2", "visual.merger.mlp.2_input",
                          {config.out_hidden_size, "vision_config.out_hidden_size"}, merged(config), true, math)) {}

Tensor GroupMerger::finish(const BlockState& state) const {
  const auto& context = *static_cast<const VisionContext*>(state.context.get());
  const std::int64_t groups = context.window_index.dim(0);
  const Tensor normed = ln_q_(state.hidden);  // per patch, before the concatenation
  const Tensor joined = view_operation(
      kMergeGroupsContract, "visual.merger", normed, Shape{groups, config_.merged_size()}, [&](Binder& binder) {
        binder.dim("merge", config_.spatial_merge_size, "spatial_merge_size").dim("G", groups, "the merge groups");
        binder.arg("x", normed);
      });
  Tensor inner;
  if (current_observer() == nullptr) {
    inner = merge1_.linear.forward_gelu(joined);
  } else {
    inner = merge1_.linear.forward(joined);
    gelu_in_place(inner, "visual.merger.mlp.1");
  }
  return in_image_order(merge2_.linear.forward(inner), context.window_index);
}

std::size_t GroupMerger::weight_bytes() const noexcept {
  return ln_q_.weight.size_bytes() + merge1_.linear.weight_bytes() + merge2_.linear.weight_bytes();
}

}  // namespace octavo::model
