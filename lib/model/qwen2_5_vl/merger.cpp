// Four patches become one text position: norm, concatenation, two linears; and window order is undone.
#include <cstring>

#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

// The convolution's kernel equals its stride: it is one matrix product over flattened patches.
Linear make_patch_embed(const Tensor& kernel, const VisionConfig& config, FloatMath math) {
  if (kernel.is_meta()) return {};
  return Linear::floating("visual.patch_embed.proj", kernel.reshape(Shape{config.hidden_size, config.patch_elements()}),
                          {}, math);
}

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

}  // namespace

VisionEnds::VisionEnds(const WeightSource& source, const VisionConfig& config, FloatMath math)
    : config_(config),
      kernel_(source.tensor("visual.patch_embed.proj.weight")),
      patch_embed_(make_patch_embed(kernel_, config, math)),
      ln_q_(load_norm(source, "visual.merger.ln_q", VisionConfig::kRmsNormEps)),
      merge1_(load_linear(source, "visual.merger.mlp.0", "visual.merger.mlp.0_input", math)),
      merge2_(load_linear(source, "visual.merger.mlp.2", "visual.merger.mlp.2_input", math)) {}

Tensor VisionEnds::finish(const Tensor& hidden, const VisionContext& context) const {
  const std::int64_t groups = context.window_index.dim(0);
  const Tensor normed = ln_q_(hidden);  // per patch, before the concatenation
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

std::vector<LinearInfo> VisionEnds::linears() const { return {merge1_.info, merge2_.info}; }

std::size_t VisionEnds::weight_bytes() const noexcept {
  return kernel_.size_bytes() + ln_q_.weight.size_bytes() + merge1_.linear.weight_bytes() +
         merge2_.linear.weight_bytes();
}

}  // namespace octavo::model
