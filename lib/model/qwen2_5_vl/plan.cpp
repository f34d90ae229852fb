// Qwen2.5-VL's calls on paper: the same operations in the same order as vision.cpp, merger.cpp and language.cpp.
#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../planner.hpp"
#include "octavo/model_contracts.hpp"
#include "qwen2_5_vl.hpp"

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

/// Which blocks a plan binds.
struct Blocks {
  std::vector<std::int64_t> vision, language;
};

/// The blocks of a tower; unless all are wanted, the first of those whose weights are alike. Each leaves alive what it
/// found alive, so that leaving some out changes no peak.
std::vector<std::int64_t> blocks_to_bind(const std::vector<ExpectedTensor>& expected, const PaperWeights& weights,
                                         const std::string& tower, std::int64_t count, bool all) {
  std::vector<std::int64_t> indexes;
  if (all) {
    for (std::int64_t i = 0; i < count; ++i) indexes.push_back(i);
    return indexes;
  }
  std::vector<std::string> kinds(static_cast<std::size_t>(count));  // by block: its weights, spelled out
  for (const ExpectedTensor& tensor : expected) {
    if (!tensor.name.starts_with(tower)) continue;
    const std::size_t end = tensor.name.find('.', tower.size());
    const auto index = static_cast<std::size_t>(std::stoll(tensor.name.substr(tower.size(), end - tower.size())));
    const PaperWeights::Weight& weight = weights.at(tensor.name);
    kinds[index] += tensor.name.substr(end) + dtype_name(weight.dtype) + weight.shape.to_string();
  }
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (seen.insert(kinds[i]).second) indexes.push_back(static_cast<std::int64_t>(i));
  return indexes;
}

/// The vision tower over all images of a call.
class VisionPaper {
 public:
  VisionPaper(CallPlanner& planner, const VisionConfig& config, const std::vector<Grid>& grids)
      : planner_(planner), config_(config), images_(static_cast<std::int64_t>(grids.size())) {
    for (const Grid& grid : grids) {
      patches_ += patches_of(grid);
      windows_ += windows_of(config, grid);
      frames_ += grid.t;
    }
    tokens_ = patches_ / (config.spatial_merge_size * config.spatial_merge_size);
  }

  Symbol run(const std::vector<std::int64_t>& blocks) {
    Symbol hidden = begin();
    for (const std::int64_t i : blocks) hidden = block(i, hidden);
    const Symbol rows = merger(hidden);
    planner_.keep({cos_, sin_, index_});
    return rows;
  }
  std::int64_t tokens() const { return tokens_; }

 private:
  Symbol begin() {
    const Symbol grids = planner_.given(DType::i64, Shape{images_, 3});
    const auto rotary = [&](const char* name, CallPlanner::Step& step) {
      return step.out(name, Shape{patches_, config_.head_dim()});
    };
    auto table = planner_.step(kVisionRotaryContract, "visual");
    table.dim("P", patches_, "the images' patches").dim("D", config_.head_dim(), "hidden_size / num_heads");
    table.in("grids", grids);
    cos_ = rotary("cos", table);
    sin_ = rotary("sin", table);
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

  Symbol rotated(const std::string& path, const Symbol& x) {
    return planner_.step(kRotaryContract, path).in("x", x).in("cos", cos_).in("sin", sin_).out_in("turned", x, x.shape);
  }

  Symbol block(std::int64_t index, const Symbol& hidden) {
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

  Symbol merger(const Symbol& hidden) {
    const Symbol normed = planner_.rms_norm("visual.merger.ln_q", hidden);
    const Symbol groups = planner_.step(kMergeGroupsContract, "visual.merger")
                              .dim("merge", config_.spatial_merge_size, "spatial_merge_size")
                              .dim("G", tokens_, "the images' merge groups")
                              .in("x", normed)
                              .out_in("y", normed, Shape{tokens_, config_.merged_size()});
    const Symbol wide = planner_.linear("visual.merger.mlp.0", groups);
    const Symbol inner =
        planner_.step(kGeluContract, "visual.merger.mlp.1").in("x", wide).out_in("y", wide, wide.shape);
    const Symbol ordered = planner_.linear("visual.merger.mlp.2", inner);
    const Symbol result = planner_.step(kWindowRestoreContract, "visual.merger")
                              .in("x", ordered)
                              .in("index", index_)
                              .out("y", Shape{tokens_, config_.out_hidden_size});
    planner_.keep({hidden, normed, inner});
    return result;
  }

  CallPlanner& planner_;
  const VisionConfig& config_;
  std::int64_t images_, patches_ = 0, windows_ = 0, frames_ = 0, tokens_ = 0;
  Symbol cos_, sin_, index_;
};

/// One forward call of the language model: `batch` sequences of `q_len` new positions after `past`.
class LanguagePaper {
 public:
  LanguagePaper(CallPlanner& planner, const TextConfig& config, const PlannedCall& call)
      : planner_(planner),
        config_(config),
        batch_(call.batch),
        past_(call.past),
        q_len_(call.q_len),
        cached_(call.cache_capacity > 0) {}

  /// @param vision  The image rows among the new positions; null without.
  void run(const std::vector<std::int64_t>& layers, const Symbol* vision, bool all_logits) {
    const std::int64_t rows = batch_ * q_len_;
    const Symbol positions = planner_.given(DType::i64, Shape{3, rows});
    auto table = planner_.step(kMropeContract, "model");
    table.dim("D", config_.head_dim, "head_dim").in("positions", positions);
    cos_ = table.out("cos", Shape{rows, config_.head_dim});
    sin_ = table.out("sin", Shape{rows, config_.head_dim});
    if (batch_ > 1) mask_ = planner_.given(DType::u8, Shape{batch_, 1, q_len_, past_ + q_len_});

    const PaperWeights::Weight& embedding = planner_.weights().at("model.embed_tokens.weight");
    const Symbol ids = planner_.given(DType::s32, Shape{rows});
    auto embed = planner_.step(kEmbeddingContract, "model.embed_tokens");
    embed.in("ids", ids).weight("table", embedding.dtype, embedding.shape);
    if (vision != nullptr) embed.in("vision", *vision);
    Symbol hidden = embed.out("x", Shape{rows, config_.hidden_size});
    for (const std::int64_t i : layers) hidden = layer(i, hidden);

    const Symbol wanted = all_logits ? hidden : hidden.viewed(Shape{batch_, config_.hidden_size});
    const Symbol normed = planner_.rms_norm("model.norm", wanted);
    logits(normed);
    planner_.keep({hidden, normed, cos_, sin_, positions, mask_});
    if (vision != nullptr) planner_.keep({*vision});
  }

 private:
  void logits(const Symbol& x) {
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

  Symbol split(const std::string& path, const Symbol& x, std::int64_t heads, const char* origin) {
    return planner_.step(kSplitHeadsContract, path)
        .dim("heads", heads, origin)
        .dim("D", config_.head_dim, "head_dim")
        .in("x", x)
        .out_in("y", x, Shape{x.shape[0], heads, config_.head_dim});
  }

  Symbol rotated(const std::string& path, const Symbol& x) {
    return planner_.step(kRotaryContract, path).in("x", x).in("cos", cos_).in("sin", sin_).out_in("turned", x, x.shape);
  }

  Symbol attend(const std::string& path, const Symbol& x) {
    const std::int64_t heads = config_.num_attention_heads;
    const std::int64_t kv_heads = config_.num_key_value_heads;
    const std::int64_t width = config_.head_dim;
    const Symbol q_rows = planner_.linear(path + ".q_proj", x);
    const Symbol k_rows = planner_.linear(path + ".k_proj", x);
    const Symbol v_rows = planner_.linear(path + ".v_proj", x);
    const Symbol q = rotated(path, split(path + ".q_proj", q_rows, heads, "num_attention_heads"));
    const Symbol k = rotated(path, split(path + ".k_proj", k_rows, kv_heads, "num_key_value_heads"));
    const Symbol v = split(path + ".v_proj", v_rows, kv_heads, "num_key_value_heads");
    // Heads first, as views: (B, heads, rows, D).
    const Shape key_shape{batch_, kv_heads, q_len_, width};
    Symbol keys = k.viewed(key_shape);
    Symbol values = v.viewed(key_shape);
    if (cached_) {
      const Shape new_rows{1, kv_heads, q_len_, width};  // of one sequence: each has its own cache
      planner_.step(kKvAppendContract, path)
          .dim("Hkv", kv_heads, "the cache")
          .dim("D", width, "the cache")
          .dim("Lk", past_ + q_len_, "past + new")
          .times(batch_)
          .in("k", keys.viewed(new_rows))
          .in("v", values.viewed(new_rows))
          .out_in("cached", Symbol{}, Shape{1, kv_heads, past_ + q_len_, width});
      keys = values = Symbol{DType::f32, Shape{batch_, kv_heads, past_ + q_len_, width}, Symbol::kNoBuffer};
    }
    auto attending = planner_.step(kAttentionContract, path);
    attending.dim("past", past_, "the causal mask")
        .in("q", q.viewed(Shape{batch_, heads, q_len_, width}))
        .in("k", keys)
        .in("v", values);
    if (batch_ > 1) attending.in("mask", mask_);
    attending.note(batch_ > 1 ? "causal, pads hidden" : "causal");
    const Symbol out = attending.out("out", Shape{batch_, heads, q_len_, width});
    const Symbol joined =
        planner_.step(kJoinHeadsContract, path).in("x", out).out_in("y", out, Shape{batch_ * q_len_, heads * width});
    const Symbol result = planner_.linear(path + ".o_proj", joined);
    planner_.keep({x, q, k, v, out});
    return result;
  }

  Symbol layer(std::int64_t index, const Symbol& hidden) {
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

  CallPlanner& planner_;
  const TextConfig& config_;
  std::int64_t batch_, past_, q_len_;
  bool cached_;
  Symbol cos_, sin_, mask_;
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "plan: " + what); }

/// All calls of a plan.
class Calls {
 public:
  Calls(const Qwen25VlConfig& config, const PaperWeights& weights, Blocks blocks, const PlanOptions& options,
        ModelPlan& plan, std::vector<Error>& problems)
      : config_(config),
        weights_(weights),
        blocks_(std::move(blocks)),
        options_(options),
        plan_(plan),
        problems_(problems) {
    check_options();
  }

  void run() {
    const std::int64_t prompt = plan_.prompt_tokens;
    const std::int64_t fresh = plan_.max_new_tokens;
    const std::int64_t capacity = prompt + fresh;
    forward(add_call(plan_, CallKind::prefill, 1, 0, prompt, capacity, "the prompt"), options_.grids,
            options_.all_logits);
    if (fresh >= 2) {
      const std::string last = "token " + std::to_string(fresh) + " of " + std::to_string(fresh);
      forward(add_call(plan_, CallKind::decode, 1, capacity - 2, 1, capacity, last), {}, false);
      uncached(add_call(plan_, CallKind::uncached, 1, 0, capacity - 1, 0, last));
    }
    chunks(prompt, capacity);
    // The answer's last token is not in the cache yet: it is fed first.
    const std::int64_t room = config_.text.max_position_embeddings - capacity;
    const std::int64_t turn = std::min(options_.second_turn_tokens, room);
    if (fresh >= 1) {
      forward(add_call(plan_, CallKind::second_turn, 1, capacity - 1, 1 + turn, capacity + turn,
                       "the answer's last token and " + std::to_string(turn) + " more"),
              {}, false);
    }
    batched(prompt, capacity);
  }

 private:
  void check_options() {
    const std::int64_t merge = config_.vision.spatial_merge_size;
    constexpr std::int64_t kMost = std::int64_t{1} << 20;
    constexpr std::int64_t kMostPatches = std::int64_t{1} << 31;
    std::int64_t patches = 0;
    for (std::size_t i = 0; i < options_.grids.size(); ++i) {
      const Grid& grid = options_.grids[i];
      if (grid.t != 1 || grid.h < 1 || grid.w < 1 || grid.h > kMost || grid.w > kMost || grid.h % merge != 0 ||
          grid.w % merge != 0) {
        refuse("image " + std::to_string(i) + " has the grid " + std::to_string(grid.t) + " x " +
               std::to_string(grid.h) + " x " + std::to_string(grid.w) + ": one frame of whole " +
               std::to_string(merge) + " x " + std::to_string(merge) + " groups is needed");
      }
      patches += grid.h * grid.w;
      if (patches >= kMostPatches) refuse("the images have more than 2147483647 patches: give fewer or smaller ones");
    }
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
      constexpr std::int64_t kMostTokens = std::int64_t{1} << 32;
      if (value < least || value > kMostTokens) {
        refuse(std::string(name) + " is " + std::to_string(value) + ", it must be " + std::to_string(least) + " to " +
               std::to_string(kMostTokens));
      }
    };
    at_least("prompt_tokens", options_.prompt_tokens, 0);
    at_least("max_new_tokens", options_.max_new_tokens, 0);
    at_least("chunk_tokens", options_.chunk_tokens, 0);
    at_least("second_turn_tokens", options_.second_turn_tokens, 0);
    at_least("batch", options_.batch, 1);
    if (options_.batch > 4096) refuse("batch is " + std::to_string(options_.batch) + ", at most 4096 are planned");
    if (options_.batch * patches >= kMostPatches ||
        options_.batch * static_cast<std::int64_t>(options_.grids.size()) > kMost)
      refuse("a batch of " + std::to_string(options_.batch) + " such prompts has too many patches: plan a smaller one");
    image_tokens_ = patches / (merge * merge);
    const std::int64_t most = config_.text.max_position_embeddings;
    plan_.prompt_tokens = options_.prompt_tokens;
    if (plan_.prompt_tokens == 0) plan_.prompt_tokens = std::min(64 + needed(), std::max(needed(), most));
    if (plan_.prompt_tokens < needed()) {
      refuse("prompt_tokens is " + std::to_string(plan_.prompt_tokens) + ", its " +
             std::to_string(options_.grids.size()) + " images alone take " + std::to_string(needed()) +
             " (t * h * w / spatial_merge_size^2 and two delimiters each)");
    }
    if (plan_.prompt_tokens > most) {
      refuse("the prompt has " + std::to_string(plan_.prompt_tokens) +
             " tokens, the model takes max_position_embeddings = " + std::to_string(most) +
             ": shorten it or use smaller images");
    }
    plan_.max_new_tokens = std::min(options_.max_new_tokens, most - plan_.prompt_tokens);
  }

  std::int64_t needed() const { return image_tokens_ + 2 * static_cast<std::int64_t>(options_.grids.size()); }

  void forward(PlannedCall& call, const std::vector<Grid>& grids, bool all_logits) {
    CallPlanner planner(weights_, call, problems_);
    std::optional<Symbol> vision;
    if (!grids.empty()) {
      VisionPaper tower(planner, config_.vision, grids);
      call.image_tokens = tower.tokens();
      vision = tower.run(blocks_.vision);
    }
    LanguagePaper(planner, config_.text, call).run(blocks_.language, vision ? &*vision : nullptr, all_logits);
    planner.finish();
  }

  /// The vision rows are kept from the first step.
  void uncached(PlannedCall& call) {
    CallPlanner planner(weights_, call, problems_);
    const Symbol vision = planner.given(DType::f32, Shape{image_tokens_, config_.vision.out_hidden_size});
    LanguagePaper(planner, config_.text, call).run(blocks_.language, options_.grids.empty() ? nullptr : &vision, false);
    planner.finish();
  }

  /// Images first, as Model::prepare puts them; each stays whole within one chunk.
  void chunks(std::int64_t prompt, std::int64_t capacity) {
    if (prompt < 2) return;
    const std::int64_t most = options_.chunk_tokens > 0 ? options_.chunk_tokens : (prompt + 1) / 2;
    std::int64_t past = 0, taken = 0, number = 0;
    std::vector<Grid> grids;
    const auto feed = [&] {
      forward(add_call(plan_, CallKind::chunk, 1, past, taken, capacity,
                       "chunk " + std::to_string(++number) + " of the prompt"),
              grids, false);
      past += taken;
      taken = 0;
      grids.clear();
    };
    for (const Grid& grid : options_.grids) {
      const std::int64_t merge = config_.vision.spatial_merge_size;
      const std::int64_t unit = grid.h * grid.w / (merge * merge) + 2;
      if (taken > 0 && taken + unit > most) feed();
      taken += unit;
      grids.push_back(grid);
    }
    // Of many equal chunks of text the first and the last say all.
    std::int64_t text = prompt - needed();
    const std::int64_t rest = std::min(text, std::max<std::int64_t>(0, most - taken));
    taken += rest;
    text -= rest;
    while (text > 0) {
      feed();
      if (text > 2 * most) {
        const std::int64_t skipped = (text - 1) / most - 1;
        past += skipped * most;
        number += skipped;
        text -= skipped * most;
      }
      taken = std::min(text, most);
      text -= taken;
    }
    if (taken > 0) feed();
  }

  void batched(std::int64_t prompt, std::int64_t capacity) {
    const std::int64_t batch = options_.batch;
    if (batch < 2) return;
    const std::string note = std::to_string(batch) + " sequences, padded";
    std::vector<Grid> grids;
    for (std::int64_t i = 0; i < batch; ++i) grids.insert(grids.end(), options_.grids.begin(), options_.grids.end());
    forward(add_call(plan_, CallKind::batch_prefill, batch, 0, prompt, capacity, note), grids, false);
    if (plan_.max_new_tokens >= 2) {
      forward(add_call(plan_, CallKind::batch_decode, batch, capacity - 2, 1, capacity, note), {}, false);
    }
  }

  const Qwen25VlConfig& config_;
  const PaperWeights& weights_;
  Blocks blocks_;
  const PlanOptions& options_;
  ModelPlan& plan_;
  std::vector<Error>& problems_;
  std::int64_t image_tokens_ = 0;
};

/// What a run keeps in memory: linears as stored with f32 scales and biases, norms as f32, the table once.
std::uint64_t resident_bytes(const PaperWeights& weights, const std::vector<ExpectedTensor>& expected) {
  std::uint64_t total = 0;
  for (const ExpectedTensor& tensor : expected) {
    const PaperWeights::Weight* weight = weights.find(tensor.name);
    if (weight == nullptr) continue;
    const bool widened = tensor.shape.rank() == 1 || tensor.name.ends_with(".weight_scale");
    total += static_cast<std::uint64_t>(weight->shape.numel()) * (widened ? sizeof(float) : size_of(weight->dtype));
  }
  return total;
}

}  // namespace

void plan_qwen2_5_vl(const Checkpoint& checkpoint, const PlanOptions& options, ModelPlan& plan,
                     std::vector<Error>& problems) {
  const Qwen25VlConfig config = Qwen25VlConfig::parse(checkpoint.config());
  require_plausible_blocks(checkpoint, config);
  const std::vector<ExpectedTensor> expected = qwen2_5_vl_tensors(checkpoint);
  const PaperWeights weights(checkpoint, expected);
  plan.weight_bytes = resident_bytes(weights, expected);
  plan.kv_cache_bytes_per_position = static_cast<std::uint64_t>(config.text.num_hidden_layers) * 2 *
                                     static_cast<std::uint64_t>(config.text.num_key_value_heads) *
                                     static_cast<std::uint64_t>(config.text.head_dim) * sizeof(float);
  const Blocks blocks{
      blocks_to_bind(expected, weights, "visual.blocks.", config.vision.depth, options.every_block),
      blocks_to_bind(expected, weights, "model.layers.", config.text.num_hidden_layers, options.every_block)};
  Calls(config, weights, blocks, options, plan, problems).run();
}

}  // namespace octavo::model
