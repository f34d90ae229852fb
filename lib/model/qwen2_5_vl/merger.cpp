// Four patches become one text position: norm, concatenation, two linears; and window order is undone.
#include <cstring>

#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

// The convolution's kernel equals its stride: it is one matrix product over flattened patches.
Linear load_patch_embed(const Checkpoint& checkpoint, const VisionConfig& config) {
  const Tensor kernel = checkpoint.tensor("visual.patch_embed.proj.weight");
  return Linear::floating("visual.patch_embed.proj", kernel.reshape(Shape{config.hidden_size, config.patch_elements()}),
                          {});
}

}  // namespace

VisionEnds::VisionEnds(const Checkpoint& checkpoint, const VisionConfig& config)
    : config_(config),
      patch_embed_(load_patch_embed(checkpoint, config)),
      kernel_dtype_(checkpoint.tensor("visual.patch_embed.proj.weight").dtype()),
      kernel_shape_(checkpoint.tensor("visual.patch_embed.proj.weight").shape()),
      ln_q_(load_norm(checkpoint, "visual.merger.ln_q", VisionConfig::kRmsNormEps)),
      merge1_(load_linear(checkpoint, "visual.merger.mlp.0", "visual.merger.mlp.0_input")),
      merge2_(load_linear(checkpoint, "visual.merger.mlp.2", "visual.merger.mlp.2_input")) {}

Tensor VisionEnds::finish(const Tensor& hidden, const VisionContext& context) const {
  const auto groups = static_cast<std::int64_t>(context.window_index.size());
  const Tensor normed = ln_q_(hidden);  // per patch, before the concatenation
  const Tensor joined = normed.reshape(Shape{groups, config_.merged_size()});
  report_operation(kMergeGroupsContract, "visual.merger", [&](Binder& binder) {
    binder.dim("merge", config_.spatial_merge_size, "spatial_merge_size").arg("x", normed).done({{"y", joined}});
  });
  Tensor inner = merge1_.linear.forward(joined);
  gelu_in_place(inner, "visual.merger.mlp.1");
  const Tensor ordered = merge2_.linear.forward(inner);  // (groups, hidden), in window order
  Tensor out = Tensor::empty(DType::f32, ordered.shape());
  const std::int64_t width = ordered.dim(1);
  for (std::int64_t i = 0; i < groups; ++i) {
    std::memcpy(out.mutable_data<float>() + context.window_index[static_cast<std::size_t>(i)] * width,
                ordered.data<float>() + i * width, static_cast<std::size_t>(width) * sizeof(float));
  }
  report_operation(kWindowRestoreContract, "visual.merger", [&](Binder& binder) {
    binder.arg("x", ordered).arg("index", DType::i64, Shape{groups}).done({{"y", out}});
  });
  return out;
}

std::vector<LinearInfo> VisionEnds::linears() const { return {merge1_.info, merge2_.info}; }

std::size_t VisionEnds::weight_bytes() const noexcept {
  return patch_embed_.weight_bytes() + ln_q_.weight.size_bytes() + merge1_.linear.weight_bytes() +
         merge2_.linear.weight_bytes();
}

}  // namespace octavo::model
