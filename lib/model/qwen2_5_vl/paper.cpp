#include "paper.hpp"

#include <algorithm>

#include "octavo/model_contracts.hpp"

namespace octavo::model {
namespace {

std::int64_t patches_of(const Grid& grid) { return grid.t * grid.h * grid.w; }

/// How many windows the tower cuts an image into, as window_index does.
std::int64_t windows_of(const VisionConfig& config, const Grid& grid) {
  const std::int64_t side =
      std::max<std::int64_t>(1, config.window_size / config.spatial_merge_size / config.patch_size);
  const auto along = [&](std::int64_t patches) { return (patches / config.spatial_merge_size + side - 1) / side; };
  return grid.t * along(grid.h) * along(grid.w);
}

}  // namespace

VisionPaper::VisionPaper(CallPlanner& planner, const VisionConfig& config, const std::vector<Grid>& grids)
    : planner_(planner), config_(config), images_(static_cast<std::int64_t>(grids.size())) {
  for (const Grid& grid : grids) {
    patches_ += patches_of(grid);
    windows_ += windows_of(config, grid);
    frames_ += grid.t;
  }
  tokens_ = patches_ / (config.spatial_merge_size * config.spatial_merge_size);
}

Symbol VisionPaper::run(const std::vector<std::int64_t>& blocks) {
  Symbol hidden = begin();
  for (const std::int64_t i : blocks) hidden = block(i, hidden);
  const Symbol rows = merger(hidden);
  planner_.keep({cos_, sin_, index_});
  return rows;
}

Symbol VisionPaper::begin() {
  const Symbol grids = planner_.given(DType::i64, Shape{images_, 3});
  const Shape angles{patches_, config_.head_dim()};
  auto table = planner_.step(kVisionRotaryContract, "visual");
  table.dim("P", patches_, "the images' patches").dim("D", config_.head_dim(), "hidden_size / num_heads");
  table.in("grids", grids);
  cos_ = table.out("cos", angles);
  sin_ = table.out("sin", angles);
  const PaperWeights::Weight& kernel = planner_.weights().at("visual.patch_embed.proj.weight");
  const Symbol pixels = planner_.given(DType::f32, Shape{patches_, config_.patch_elements()});
  const Symbol embedded = planner_.step(kPatchEmbedContract, "visual.patch_embed.proj")
                              .in("pixels", pixels)
                              .weight("w", kernel.dtype, kernel.shape)
                              .out("x", Shape{patches_, config_.hidden_size});
  index_ = planner_.given(DType::i64, Shape{tokens_});
  return planner_.step(kWindowOrderContract, "visual")
      .dim("merge", config_.spatial_merge_size, "spatial_merge_size")
      .in("x", embedded)
      .in("index", index_)
      .out("y", Shape{patches_, config_.hidden_size});
}

Symbol VisionPaper::rotated(const std::string& path, const Symbol& x) {
  return planner_.step(kRotaryContract, path).in("x", x).in("cos", cos_).in("sin", sin_).out_in("turned", x, x.shape);
}

Symbol VisionPaper::block(std::int64_t index, const Symbol& hidden) {
  const std::string path = "visual.blocks." + std::to_string(index);
  const std::int64_t heads = config_.num_heads;
  const std::int64_t width = config_.head_dim();
  const Shape split{patches_, heads, width};
  const Shape first{1, heads, patches_, width};
  const Symbol x = planner_.rms_norm(path + ".norm1", hidden);
  const Symbol qkv = planner_.linear(path + ".attn.qkv", x);
  auto splitting = planner_.step(kSplitQkvContract, path + ".attn");
  splitting.dim("heads", heads, "vision_config.num_heads").dim("D", width, "hidden_size / num_heads").in("x", qkv);
  const Symbol q = splitting.out("q", split);
  const Symbol k = splitting.out("k", split);
  const Symbol v = splitting.out_in("v", qkv, split);
  rotated(path + ".attn", q);
  rotated(path + ".attn", k);
  const bool full = config_.is_full_attention(index);
  const Symbol out =
      planner_.step(kAttentionContract, path)
          .note(full ? std::to_string(frames_) + " segments, one per frame" : std::to_string(windows_) + " windows")
          .in("q", q.viewed(first))
          .in("k", k.viewed(first))
          .in("v", v.viewed(first))
          .out("out", first);
  const Symbol joined =
      planner_.step(kJoinHeadsContract, path + ".attn").in("x", out).out_in("y", out, Shape{patches_, heads * width});
  const Symbol projected = planner_.linear(path + ".attn.proj", joined);
  planner_.keep({x, qkv, q, k, out});
  const Symbol after = planner_.residual(path, hidden, projected);
  const Symbol normed = planner_.rms_norm(path + ".norm2", after);
  const Symbol gate = planner_.linear(path + ".mlp.gate_proj", normed);
  const Symbol up = planner_.linear(path + ".mlp.up_proj", normed);
  const Symbol inner = planner_.swiglu(path + ".mlp", gate, up);
  const Symbol down = planner_.linear(path + ".mlp.down_proj", inner);
  const Symbol result = planner_.residual(path, after, down);
  planner_.keep({normed, inner});
  return result;
}

Symbol VisionPaper::merger(const Symbol& hidden) {
  const Symbol normed = planner_.rms_norm("visual.merger.ln_q", hidden);
  const Symbol groups = planner_.step(kMergeGroupsContract, "visual.merger")
                            .dim("merge", config_.spatial_merge_size, "spatial_merge_size")
                            .dim("G", tokens_, "the images' merge groups")
                            .in("x", normed)
                            .out_in("y", normed, Shape{tokens_, config_.merged_size()});
  const Symbol wide = planner_.linear("visual.merger.mlp.0", groups);
  const Symbol inner = planner_.step(kGeluContract, "visual.merger.mlp.1").in("x", wide).out_in("y", wide, wide.shape);
  const Symbol ordered = planner_.linear("visual.merger.mlp.2", inner);
  const Symbol result = planner_.step(kWindowRestoreContract, "visual.merger")
                            .in("x", ordered)
                            .in("index", index_)
                            .out("y", Shape{tokens_, config_.out_hidden_size});
  planner_.keep({hidden, normed, inner});
  return result;
}

LanguagePaper::LanguagePaper(CallPlanner& planner, const TextConfig& config, const PlannedCall& call)
    : planner_(planner),
      config_(config),
      batch_(call.batch),
      past_(call.past),
      q_len_(call.q_len),
      cached_(call.cache_capacity > 0) {}

void LanguagePaper::run(const std::vector<std::int64_t>& layers, const Symbol* vision, bool all_logits) {
  const std::int64_t rows = batch_ * q_len_;
  const Symbol positions = planner_.given(DType::i64, Shape{3, rows});
  auto table = planner_.step(kMropeContract, "model");
  table.dim("D", config_.head_dim, "head_dim").in("positions", positions);
  cos_ = table.out("cos", Shape{rows, config_.head_dim});
  sin_ = table.out("sin", Shape{rows, config_.head_dim});

  const PaperWeights::Weight& embedding = planner_.weights().at("model.embed_tokens.weight");
  const Symbol ids = planner_.given(DType::s32, Shape{rows});
  auto embed = planner_.step(kEmbeddingContract, "model.embed_tokens");
  embed.in("ids", ids).weight("table", embedding.dtype, embedding.shape);
  if (vision != nullptr) embed.in("vision", *vision);
  Symbol hidden = embed.out("x", Shape{rows, config_.hidden_size});
  for (const std::int64_t i : layers) hidden = layer(i, hidden);

  // Each sequence's last row: of one sequence a view, of several a copy.
  const Shape last{batch_, config_.hidden_size};
  const Symbol wanted = all_logits ? hidden : batch_ > 1 ? planner_.given(DType::f32, last) : hidden.viewed(last);
  const Symbol normed = planner_.rms_norm("model.norm", wanted);
  logits(normed);
  planner_.keep({hidden, wanted, normed, cos_, sin_, positions});
  if (vision != nullptr) planner_.keep({*vision});
}

void LanguagePaper::logits(const Symbol& x) {
  if (planner_.weights().find("lm_head.weight") != nullptr) {
    planner_.linear("lm_head", x);
    return;
  }
  const PaperWeights::Weight& table = planner_.weights().at("model.embed_tokens.weight");
  planner_.step(kLinearContract, "lm_head")
      .in("x", x)
      .weight("w", table.dtype, table.shape)
      .note("tied: the embedding's table")
      .out("y", Shape{x.shape[0], config_.vocab_size});
}

Symbol LanguagePaper::split(const std::string& path, const Symbol& x, std::int64_t heads, const char* origin) {
  return planner_.step(kSplitHeadsContract, path)
      .dim("heads", heads, origin)
      .dim("D", config_.head_dim, "head_dim")
      .in("x", x)
      .out_in("y", x, Shape{x.shape[0], heads, config_.head_dim});
}

Symbol LanguagePaper::rotated(const std::string& path, const Symbol& x) {
  return planner_.step(kRotaryContract, path).in("x", x).in("cos", cos_).in("sin", sin_).out_in("turned", x, x.shape);
}

Symbol LanguagePaper::attend(const std::string& path, const Symbol& x) {
  const std::int64_t heads = config_.num_attention_heads;
  const std::int64_t kv_heads = config_.num_key_value_heads;
  const std::int64_t width = config_.head_dim;
  const Symbol q_rows = planner_.linear(path + ".q_proj", x);
  const Symbol k_rows = planner_.linear(path + ".k_proj", x);
  const Symbol v_rows = planner_.linear(path + ".v_proj", x);
  const Symbol q = rotated(path, split(path + ".q_proj", q_rows, heads, "num_attention_heads"));
  const Symbol k = rotated(path, split(path + ".k_proj", k_rows, kv_heads, "num_key_value_heads"));
  const Symbol v = split(path + ".v_proj", v_rows, kv_heads, "num_key_value_heads");
  // What the sequences' attentions are gathered in; of one sequence they need not be.
  const Shape all_rows{batch_ * q_len_, heads * width};
  const Symbol gathered = batch_ > 1 ? planner_.given(DType::f32, all_rows) : Symbol{};
  planner_.repeat(batch_);
  // Heads first, as views: (1, heads, its rows, D).
  const Shape key_shape{1, kv_heads, q_len_, width};
  Symbol keys = k.viewed(key_shape);
  Symbol values = v.viewed(key_shape);
  if (cached_) {
    planner_.step(kKvAppendContract, path)
        .dim("Hkv", kv_heads, "the cache")
        .dim("D", width, "the cache")
        .dim("Lk", past_ + q_len_, "past + new")
        .in("k", keys)
        .in("v", values)
        .out_in("cached", Symbol{}, Shape{1, kv_heads, past_ + q_len_, width});
    keys = values = Symbol{DType::f32, Shape{1, kv_heads, past_ + q_len_, width}, Symbol::kNoBuffer};
  }
  const Shape query_shape{1, heads, q_len_, width};
  const Symbol out = planner_.step(kAttentionContract, path)
                         .dim("past", past_, "the causal mask")
                         .in("q", q.viewed(query_shape))
                         .in("k", keys)
                         .in("v", values)
                         .note("causal")
                         .out("out", query_shape);
  const Symbol joined =
      planner_.step(kJoinHeadsContract, path).in("x", out).out_in("y", out, Shape{q_len_, heads * width});
  planner_.repeat(1);
  const Symbol result = planner_.linear(path + ".o_proj", batch_ > 1 ? gathered : joined);
  planner_.keep({x, q, k, v, batch_ > 1 ? gathered : out});
  return result;
}

Symbol LanguagePaper::layer(std::int64_t index, const Symbol& hidden) {
  const std::string path = "model.layers." + std::to_string(index);
  const Symbol x = planner_.rms_norm(path + ".input_layernorm", hidden);
  const Symbol after = planner_.residual(path, hidden, attend(path + ".self_attn", x));
  const Symbol normed = planner_.rms_norm(path + ".post_attention_layernorm", after);
  const Symbol gate = planner_.linear(path + ".mlp.gate_proj", normed);
  const Symbol up = planner_.linear(path + ".mlp.up_proj", normed);
  const Symbol inner = planner_.swiglu(path + ".mlp", gate, up);
  const Symbol down = planner_.linear(path + ".mlp.down_proj", inner);
  const Symbol result = planner_.residual(path, after, down);
  planner_.keep({normed, inner});
  return result;
}

}  // namespace octavo::model
