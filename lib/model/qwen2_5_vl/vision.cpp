// The vision tower's blocks and its first end; the other is merger.cpp.
#include <cstring>
#include <memory>
#include <string>

#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

/// The rows of a rotary table [N, D] in window order.
RotaryTable in_window_order(const RotaryTable& table, const std::vector<std::int64_t>& order, std::int64_t group) {
  const auto count = static_cast<std::int64_t>(order.size());
  return {gather_groups(table.cos, order.data(), count, group), gather_groups(table.sin, order.data(), count, group)};
}

/// All images' patch rows below each other, [N, patch_elements].
Tensor concatenate_patches(const ModelInput& input, std::int64_t columns) {
  if (input.images.size() == 1) return input.images.front().pixel_values.contiguous();
  std::int64_t rows = 0;
  for (const PixelPatches& image : input.images) rows += image.pixel_values.dim(0);
  Tensor all = Tensor::empty(DType::f32, Shape{rows, columns});
  float* out = all.mutable_data<float>();
  for (const PixelPatches& image : input.images) {
    const Tensor pixels = image.pixel_values.contiguous();
    std::memcpy(out, pixels.data<float>(), pixels.size_bytes());
    out += pixels.numel();
  }
  return all;
}

}  // namespace

VisionBlock::VisionBlock(const Checkpoint& checkpoint, const VisionConfig& config, std::int64_t index)
    : LinearBlock("visual.blocks." + std::to_string(index)),
      heads_(config.num_heads),
      head_dim_(config.head_dim()),
      full_attention_(config.is_full_attention(index)),
      attention_path_(module_path() + ".attn"),
      mlp_path_(module_path() + ".mlp"),
      norm1_(load_norm(checkpoint, module_path() + ".norm1", VisionConfig::kRmsNormEps)),
      norm2_(load_norm(checkpoint, module_path() + ".norm2", VisionConfig::kRmsNormEps)),
      qkv_(add(checkpoint, "attn.qkv", "attn.qkv_input")),
      proj_(add(checkpoint, "attn.proj", "attn.proj_input")),
      gate_(add(checkpoint, "mlp.gate_proj", "mlp.gate_up_input")),
      up_(add(checkpoint, "mlp.up_proj", "mlp.gate_up_input")),
      down_(add(checkpoint, "mlp.down_proj", "mlp.down_input")) {}

Tensor VisionBlock::attend(const Tensor& x, const VisionContext& context, LinearObserver* observer) const {
  const std::int64_t rows = x.dim(0);
  observe(observer, qkv_, x);
  const Tensor qkv = apply(qkv_, x).reshape(Shape{1, rows, 3, heads_, head_dim_});
  Tensor q = qkv.select(2, 0).contiguous().reshape(Shape{rows, heads_, head_dim_});
  Tensor k = qkv.select(2, 1).contiguous().reshape(Shape{rows, heads_, head_dim_});
  const Tensor v = qkv.select(2, 2);
  report_operation(kSplitQkvContract, attention_path_, [&](Binder& binder) {
    binder.dim("heads", heads_, "num_heads").arg("x", DType::f32, Shape{rows, 3 * heads_ * head_dim_});
    binder.done({{"q", q}, {"k", k}, {"v", v.select(0, 0)}});
  });
  apply_rotary(q, context.rotary, attention_path_);
  apply_rotary(k, context.rotary, attention_path_);
  AttentionOptions options;
  options.mask = full_attention_ ? context.frames : context.windows;
  options.module_path = module_path();
  const Tensor out =
      attention(q.reshape(Shape{1, rows, heads_, head_dim_}).permute({0, 2, 1, 3}),  // (1, heads, rows, D)
                k.reshape(Shape{1, rows, heads_, head_dim_}).permute({0, 2, 1, 3}), v.permute({0, 2, 1, 3}), options);
  const Tensor merged = out.permute({0, 2, 1, 3}).contiguous().reshape(Shape{rows, heads_ * head_dim_});
  report_operation(kJoinHeadsContract, attention_path_, [&](Binder& binder) {
    binder.arg("x", out).done({{"y", merged}});
  });
  observe(observer, proj_, merged);
  return apply(proj_, merged);
}

void VisionBlock::run(Tensor& hidden, const VisionContext& context, LinearObserver* observer) const {
  add_in_place(hidden, attend(norm1_(hidden), context, observer), module_path());
  const Tensor normed = norm2_(hidden);
  observe(observer, gate_, normed);
  Tensor gate = apply(gate_, normed);
  silu_multiply(gate, apply(up_, normed), mlp_path_);
  observe(observer, down_, gate);
  add_in_place(hidden, apply(down_, gate), module_path());
}

void VisionBlock::forward(BlockState& state, LinearObserver* observer) const {
  if (!state.hidden.defined()) return;  // no images
  run(state.hidden, *static_cast<const VisionContext*>(state.context.get()), observer);
}

BlockState VisionEnds::begin(const ModelInput& input) const {
  if (input.images.empty()) return {};
  const std::vector<Grid> grids = grids_of(input);
  WindowIndex windows =
      octavo::window_index(grids, config_.window_size, config_.patch_size, config_.spatial_merge_size);
  const std::int64_t group = config_.spatial_merge_size * config_.spatial_merge_size;
  auto context = std::make_shared<VisionContext>();
  const RotaryTable rotary = vision_rotary_table(grids, config_.head_dim(), config_.spatial_merge_size);
  report_operation(kVisionRotaryContract, "visual", [&](Binder& binder) {
    binder.arg("grids", DType::i64, Shape{static_cast<std::int64_t>(grids.size()), 3});
    binder.done({{"cos", rotary.cos}, {"sin", rotary.sin}});
  });
  context->rotary = in_window_order(rotary, windows.window_index, group);
  context->windows = Mask::segments(std::move(windows.cu_window_seqlens));
  context->frames = Mask::segments(std::move(windows.cu_seqlens));
  context->window_index = std::move(windows.window_index);
  const Tensor embedded = embed_patches(concatenate_patches(input, config_.patch_elements()));
  BlockState state;
  state.hidden = gather_groups(embedded, context->window_index.data(),
                               static_cast<std::int64_t>(context->window_index.size()), group);
  report_operation(kWindowOrderContract, "visual", [&](Binder& binder) {
    const auto groups = static_cast<std::int64_t>(context->window_index.size());
    binder.dim("merge", config_.spatial_merge_size, "spatial_merge_size").arg("x", embedded);
    binder.arg("index", DType::i64, Shape{groups}).done({{"y", state.hidden}});
  });
  state.context = std::move(context);
  return state;
}

Tensor VisionEnds::embed_patches(const Tensor& pixels) const {
  Tensor embedded;
  {
    const ObserverScope quiet(nullptr);  // one operation, not a linear layer of its own
    embedded = patch_embed_.forward(pixels);
  }
  report_operation(kPatchEmbedContract, patch_embed_.module_path(), [&](Binder& binder) {
    binder.arg("pixels", pixels).arg("w", kernel_dtype_, kernel_shape_).done({{"x", embedded}});
  });
  return embedded;
}

}  // namespace octavo::model
