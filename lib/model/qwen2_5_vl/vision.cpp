// The vision tower's blocks and its first end; the other is merger.cpp.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

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

}  // namespace

VisionBlock::VisionBlock(const WeightSource& source, const VisionConfig& config, std::int64_t index, FloatMath math)
    : LinearBlock("visual.blocks." + std::to_string(index), math),
      heads_(config.num_heads),
      head_dim_(config.head_dim()),
      full_attention_(config.is_full_attention(index)),
      attention_path_(module_path() + ".attn"),
      mlp_path_(module_path() + ".mlp"),
      norm1_(load_norm(source, module_path() + ".norm1", VisionConfig::kRmsNormEps)),
      norm2_(load_norm(source, module_path() + ".norm2", VisionConfig::kRmsNormEps)),
      qkv_(add(source, "attn.qkv", "attn.qkv_input")),
      proj_(add(source, "attn.proj", "attn.proj_input")),
      gate_(add(source, "mlp.gate_proj", "mlp.gate_up_input")),
      up_(add(source, "mlp.up_proj", "mlp.gate_up_input")),
      down_(add(source, "mlp.down_proj", "mlp.down_input")) {}

VisionBlock::Heads VisionBlock::split(const Tensor& x) const {
  const std::int64_t rows = x.dim(0);
  const Shape shape{rows, heads_, head_dim_};
  const Shape one{1, rows, heads_, head_dim_};
  const Shape parts{1, rows, 3, heads_, head_dim_};
  Heads heads;
  if (x.is_meta()) {
    heads = {Tensor::meta(DType::f32, shape), Tensor::meta(DType::f32, shape), {}};
    heads.v = x.numel() == parts.numel() ? x.reshape(parts).select(2, 2) : Tensor::meta(DType::f32, one);  // broken
  } else {
    const Tensor all = x.reshape(parts);
    heads.q = all.select(2, 0).contiguous().reshape(shape);
    heads.k = all.select(2, 1).contiguous().reshape(shape);
    heads.v = all.select(2, 2);
  }
  report_operation(kSplitQkvContract, attention_path_, [&](Binder& binder) {
    binder.dim("heads", heads_, "vision_config.num_heads").dim("D", head_dim_, "hidden_size / num_heads");
    binder.arg("x", x).done({{"q", heads.q}, {"k", heads.k}, {"v", heads.v.select(0, 0)}});
  });
  return heads;
}

Tensor VisionBlock::attend(const Tensor& x, const VisionContext& context, LinearObserver* observer,
                           Tensor& hidden) const {
  observe(observer, qkv_, x);
  Heads heads = split(apply(qkv_, x));
  apply_rotary(heads.q, context.rotary, attention_path_);
  apply_rotary(heads.k, context.rotary, attention_path_);
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
  const Shape one{1, x.dim(0), heads_, head_dim_};
  const Tensor out = attention(heads.q.reshape(one).permute({0, 2, 1, 3}),  // (1, heads, rows, D)
                               heads.k.reshape(one).permute({0, 2, 1, 3}), heads.v.permute({0, 2, 1, 3}), options);
  const Tensor joined = join_heads(out, attention_path_);
  observe(observer, proj_, joined);
  if (current_observer() != nullptr) return apply(proj_, joined);
  at(proj_).forward_add(joined, hidden);
  return {};
}

void VisionBlock::run(Tensor& hidden, const VisionContext& context, LinearObserver* observer) const {
  {
    const Tensor attended = attend(norm1_(hidden), context, observer, hidden);
    if (attended.defined()) add_in_place(hidden, attended, module_path());  // the normed rows are gone
  }
  // Whoever listens hears of all rows at once.
  const bool heard = observer != nullptr || current_observer() != nullptr;
  const std::int64_t rows = hidden.dim(0);
  const std::int64_t parts = heard ? 1 : std::max<std::int64_t>(1, (rows + kMlpRows - 1) / kMlpRows);
  for (std::int64_t part = 0; part < parts; ++part) {
    Tensor some = hidden.slice(0, rows * part / parts, rows * (part + 1) / parts);
    const Tensor normed = norm2_(some);
    observe(observer, gate_, normed);
    const Tensor gate = apply_gated(gate_, up_, normed, mlp_path_);
    observe(observer, down_, gate);
    apply_add(down_, gate, some);
  }
}

std::size_t VisionBlock::weight_bytes() const noexcept {
  return LinearBlock::weight_bytes() + norm1_.weight.size_bytes() + norm2_.weight.size_bytes();
}

std::string VisionBlock::stored_as() const {
  return LinearBlock::stored_as() + norm1_.stored_as() + norm2_.stored_as();
}

void VisionBlock::forward(BlockState& state, LinearObserver* observer) const {
  if (!state.hidden.defined()) return;  // no images
  FirstNotFinite finite;
  const ObserverScope scope(&finite);
  run(state.hidden, *static_cast<const VisionContext*>(state.context.get()), observer);
}

BlockState VisionEnds::begin(const ModelInput& input) const {
  if (input.images.empty()) return {};
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

RotaryTable VisionEnds::rotary_table(const std::vector<Grid>& grids, bool has_data) const {
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

Tensor VisionEnds::embed_patches(const Tensor& pixels) const {
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
