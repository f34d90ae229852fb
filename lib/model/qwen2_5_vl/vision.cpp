// The vision tower's blocks and what comes before them; what comes behind is merger.cpp.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "check_input.hpp"
#include "finite.hpp"
#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

/// Rows that the MLP takes at a time, so that what it holds, several times as much as the hidden rows, does not grow
/// with the picture; enough that the weights' part of a product's time stays small.
constexpr std::int64_t kMlpRows = 1024;

/// All images' patch rows below each other, [N, patch_elements].
Tensor concatenate_patches(const ModelInput& input, std::int64_t columns) {
  if (input.images.size() == 1) return input.images.front().pixel_values.contiguous();
  std::int64_t rows = 0;
  for (const PixelPatches& image : input.images) rows += image.pixel_values.dim(0);
  Tensor all = Tensor::empty_like(input.images.front().pixel_values, DType::f32, Shape{rows, columns});
  if (all.is_meta()) return all;
  float* out = all.mutable_data<float>();
  for (const PixelPatches& image : input.images) {
    const Tensor pixels = image.pixel_values.contiguous();
    std::memcpy(out, pixels.data<float>(), pixels.size_bytes());
    out += pixels.numel();
  }
  return all;
}

Extent width(const VisionConfig& config) { return {config.hidden_size, "vision_config.hidden_size"}; }
Extent inner(const VisionConfig& config) { return {config.intermediate_size, "vision_config.intermediate_size"}; }

Tensor load_kernel(WeightSource& weights, const VisionConfig& config) {
  const Extent channels{config.in_channels, "vision_config.in_channels"};
  const Extent frames{config.temporal_patch_size, "vision_config.temporal_patch_size"};
  const Extent patch{config.patch_size, "vision_config.patch_size"};
  return weights.tensor(
      "visual.patch_embed.proj.weight", {config.hidden_size, channels.size, frames.size, patch.size, patch.size},
      width(config).reason() + ", " + channels.reason() + ", " + frames.reason() + ", " + patch.reason());
}

// The convolution's kernel equals its stride: it is one matrix product over flattened patches.
Linear make_patch_embed(const Tensor& kernel, const VisionConfig& config, FloatMath math) {
  if (kernel.is_meta()) return {};
  return Linear::floating("visual.patch_embed.proj", kernel.reshape(Shape{config.hidden_size, config.patch_elements()}),
                          {}, math);
}

}  // namespace

VisionBlock::VisionBlock(WeightSource& weights, const VisionConfig& config, std::int64_t index, FloatMath math)
    : VisionLayer(index, math),
      heads_(config.num_heads),
      head_dim_(config.head_dim()),
      full_attention_(config.is_full_attention(index)),
      attention_path_(module_path() + ".attn"),
      mlp_path_(module_path() + ".mlp"),
      norm1_(add_norm(weights, "norm1", width(config), VisionConfig::kRmsNormEps)),
      qkv_(add(weights, "attn.qkv", "attn.qkv_input", {3 * config.hidden_size, "3 * vision_config.hidden_size"},
               width(config), true)),
      proj_(add(weights, "attn.proj", "attn.proj_input", width(config), width(config), true)),
      norm2_(add_norm(weights, "norm2", width(config), VisionConfig::kRmsNormEps)),
      gate_(add(weights, "mlp.gate_proj", "mlp.gate_up_input", inner(config), width(config), true)),
      up_(add(weights, "mlp.up_proj", "mlp.gate_up_input", inner(config), width(config), true)),
      down_(add(weights, "mlp.down_proj", "mlp.down_input", width(config), inner(config), true)) {}

VisionBlock::Heads VisionBlock::split(const Tensor& x) const {
  const std::int64_t rows = x.dim(0);
  const Shape one{1, rows, heads_, head_dim_};
  const Shape parts{1, rows, 3, heads_, head_dim_};
  Heads heads;
  if (x.numel() == parts.numel()) {
    const Tensor all = x.reshape(parts);
    heads = {all.select(2, 0), all.select(2, 1), all.select(2, 2)};
  } else {  // broken
    heads = {Tensor::meta(DType::f32, one), Tensor::meta(DType::f32, one), Tensor::meta(DType::f32, one)};
  }
  report_operation(kSplitQkvContract, attention_path_, [&](Binder& binder) {
    binder.dim("heads", heads_, "vision_config.num_heads").dim("D", head_dim_, "hidden_size / num_heads");
    binder.arg("x", x).done({{"q", heads.q.select(0, 0)}, {"k", heads.k.select(0, 0)}, {"v", heads.v.select(0, 0)}});
  });
  return heads;
}

Tensor VisionBlock::attend(const Tensor& x, const VisionContext& context, const BlockCall& call, Tensor& hidden) const {
  const Heads heads = split(apply(qkv_, x, call));
  for (Tensor rows : {heads.q.select(0, 0), heads.k.select(0, 0)}) apply_rotary(rows, context.rotary, attention_path_);
  // A score of -infinity would hide its key without a trace.
  require_finite(heads.q, attention_path_, "a query");
  require_finite(heads.k, attention_path_, "a key");
  AttentionOptions options;
  options.mask = full_attention_ ? context.frames : context.windows;
  options.module_path = module_path();
  options.math = math();
  announce_note([&] {
    const std::string count = std::to_string(options.mask.cu_seqlens().size() - 1);
    return count + (full_attention_ ? " segments, one per frame" : " windows");
  });
  const Tensor out = attention(heads.q.permute({0, 2, 1, 3}), heads.k.permute({0, 2, 1, 3}),
                               heads.v.permute({0, 2, 1, 3}), options);  // (1, heads, rows, D)
  const Tensor joined = join_heads(out, attention_path_);
  if (current_observer() != nullptr) return apply(proj_, joined, call);
  apply_add(proj_, joined, hidden, call);
  return {};
}

void VisionBlock::run(BlockState& state, const BlockCall& call) const {
  Tensor& hidden = state.hidden;
  {
    const auto& context = *static_cast<const VisionContext*>(state.context.get());
    const Tensor attended = attend(norm1_(hidden), context, call, hidden);
    if (attended.defined()) add_in_place(hidden, attended, module_path());  // the normed rows are gone
  }
  // Whoever listens hears of all rows at once.
  const bool heard = call.observer != nullptr || current_observer() != nullptr;
  const std::int64_t rows = hidden.dim(0);
  const std::int64_t parts = heard ? 1 : std::max<std::int64_t>(1, (rows + kMlpRows - 1) / kMlpRows);
  for (std::int64_t part = 0; part < parts; ++part) {
    Tensor some = hidden.slice(0, rows * part / parts, rows * (part + 1) / parts);
    const Tensor gate = apply_gated(gate_, up_, norm2_(some), mlp_path_, call);
    apply_add(down_, gate, some, call);
  }
}

WindowedPatches::WindowedPatches(WeightSource& weights, const VisionConfig& config, FloatMath math)
    : config_(config), kernel_(load_kernel(weights, config)), patch_embed_(make_patch_embed(kernel_, config, math)) {}

BlockState WindowedPatches::begin(const ModelInput& input) const {
  const std::vector<Grid> grids = grids_of(input);
  const std::int64_t group = config_.spatial_merge_size * config_.spatial_merge_size;
  const bool has_data = !input.images.front().pixel_values.is_meta();
  RotaryTable rotary = rotary_table(grids, has_data);
  const Tensor embedded = embed_patches(concatenate_patches(input, config_.patch_elements()));

  WindowIndex windows = window_index(grids, config_.window_size, config_.patch_size, config_.spatial_merge_size);
  const Shape groups{static_cast<std::int64_t>(windows.window_index.size())};
  auto context = std::make_shared<VisionContext>();
  context->window_index =
      has_data ? Tensor::from<std::int64_t>(windows.window_index, groups) : Tensor::meta(DType::i64, groups);
  context->windows = Mask::segments(std::move(windows.cu_window_seqlens));
  context->frames = Mask::segments(std::move(windows.cu_seqlens));
  rotary.cos = gather_groups(rotary.cos, context->window_index, group);
  rotary.sin = gather_groups(rotary.sin, context->window_index, group);
  context->rotary = std::move(rotary);
  BlockState state;
  state.hidden = gather_groups(embedded, context->window_index, group);
  report_operation(kWindowOrderContract, "visual", [&](Binder& binder) {
    binder.dim("merge", config_.spatial_merge_size, "spatial_merge_size").arg("x", embedded);
    binder.arg("index", context->window_index).done({{"y", state.hidden}});
  });
  state.context = std::move(context);
  return state;
}

RotaryTable WindowedPatches::rotary_table(const std::vector<Grid>& grids, bool has_data) const {
  std::int64_t patches = 0;
  for (const Grid& grid : grids) patches += grid.t * grid.h * grid.w;
  const Shape shape{patches, config_.head_dim()};
  RotaryTable table = has_data ? vision_rotary_table(grids, config_.head_dim(), config_.spatial_merge_size)
                               : RotaryTable{Tensor::meta(DType::f32, shape), Tensor::meta(DType::f32, shape)};
  report_operation(kVisionRotaryContract, "visual", [&](Binder& binder) {
    binder.dim("P", patches, "the images' patches").dim("D", config_.head_dim(), "hidden_size / num_heads");
    binder.given("grids", DType::i64, Shape{static_cast<std::int64_t>(grids.size()), 3});
    binder.done({{"cos", table.cos}, {"sin", table.sin}});
  });
  return table;
}

Tensor WindowedPatches::embed_patches(const Tensor& pixels) const {
  Binder binder(kPatchEmbedContract, "visual.patch_embed.proj");
  binder.given("pixels", pixels).weight("w", kernel_).check();
  Tensor embedded;
  if (binder.has_data()) {
    const ObserverScope quiet(nullptr);  // one operation, not a linear layer of its own
    embedded = patch_embed_.forward(pixels);
  } else {
    embedded = binder.output("x", DType::f32, Shape{pixels.dim(0), config_.hidden_size});
  }
  binder.done({{"x", embedded}});
  return embedded;
}

}  // namespace octavo::model
