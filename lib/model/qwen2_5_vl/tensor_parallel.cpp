// Where vLLM cuts Qwen2.5-VL: q, k, v, gate, up and the merger's first linear by output channels, o, down and the
// merger's second by input channels, the embedding by rows; the vision tower alike (unless it runs data-parallel).
// Every rule was read in vLLM's sources; docs/check.md names the files.
#include <algorithm>
#include <initializer_list>
#include <string>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

constexpr std::int64_t kCutlass = 16;        // CUTLASS's int8 product: N and K in multiples of 16, else Triton's runs
constexpr std::int64_t kMarlinInputs = 128;  // Marlin (W8A16): K
constexpr std::int64_t kMarlinOutputs = 64;  // and N
constexpr std::int64_t kVocabPadding = 64;   // vLLM pads the vocabulary by itself

constexpr const char* kWholeTower = "keep the vision tower whole on every rank (vLLM: --mm-encoder-tp-mode data)";

std::int64_t largest_alignment(std::int64_t value) {
  for (const std::int64_t step : {128, 64, 32, 16})
    if (value > 0 && value % step == 0) return step;
  return 0;
}

std::int64_t rounded_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

/// A product of one rank: vLLM fuses q, k and v, and gate and up.
struct Product {
  std::int64_t outputs, inputs;
};

using Products = std::initializer_list<Product>;

bool cutlass_takes(Products products) {
  return std::all_of(products.begin(), products.end(), [](const Product& product) {
    return product.outputs % kCutlass == 0 && product.inputs % kCutlass == 0;
  });
}

bool marlin_takes(Products products) {
  return std::all_of(products.begin(), products.end(), [](const Product& product) {
    return product.outputs % kMarlinOutputs == 0 && product.inputs % kMarlinInputs == 0;
  });
}

/// The blocks of one tower: "model.layers." or "visual.blocks.", then index, then a linear.
struct Tower {
  std::string prefix;
  std::int64_t blocks, hidden, heads, kv_heads, head_dim;
};

class Dims {
 public:
  Dims(const Checkpoint& checkpoint, std::int64_t ranks) : checkpoint_(checkpoint), ranks_(ranks) {}

  /// Whole heads go to a rank; those of keys and values, where there are fewer than ranks, are repeated.
  void heads(const char* field, const char* modules, const Tower& tower, std::initializer_list<const char*> linears,
             const char* remedy) {
    ParallelDim dim = start(field, modules, tower.heads, tower, linears);
    dim.divides = tower.heads % ranks_ == 0;
    dim.per_rank = tower.heads / ranks_;
    const std::int64_t row = dim.per_rank * tower.head_dim;
    dim.alignment = std::min(largest_alignment(row), largest_alignment(qkv(tower)));
    if (!dim.divides)
      dim.remedy = remedy;
    else
      tell(dim, {{qkv(tower), tower.hidden}, {tower.hidden, row}});
    dims.push_back(dim);
  }

  void kv_heads(const Tower& tower) {
    ParallelDim dim = start("num_key_value_heads", "model.layers.*.self_attn.k_proj, v_proj", tower.kv_heads, tower,
                            {"self_attn.k_proj", "self_attn.v_proj"});
    const std::int64_t count = tower.kv_heads;
    dim.divides = count < ranks_ ? ranks_ % count == 0 : count % ranks_ == 0;
    dim.per_rank = per_rank_kv(tower);
    dim.alignment = largest_alignment(qkv(tower));
    if (!dim.divides)
      dim.remedy = "choose a number of ranks that divides, or is a multiple of, " + std::to_string(count);
    else
      tell(dim, {{qkv(tower), tower.hidden}});
    dims.push_back(dim);
  }

  void mlp(const char* field, const char* modules, std::int64_t value, const Tower& tower, bool vision) {
    ParallelDim dim = cut(start(field, modules, value, tower, {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}));
    const std::string tiles = std::to_string(rounded_up(value, ranks_ * kMarlinInputs));
    const std::string padded =
        "pad gate_proj and up_proj with zero rows (biases with zeros), down_proj with zero "
        "columns, and intermediate_size to ";
    const char* same = ": the answers stay the same, silu(0) * 0 is 0";
    if (dim.divides) tell(dim, {{2 * dim.per_rank, tower.hidden}, {tower.hidden, dim.per_rank}});
    if (!dim.divides || dim.alignment == 0) {
      dim.remedy =
          padded + std::to_string(rounded_up(value, ranks_ * kCutlass)) + " (or " + tiles + " for tiles of 128)" + same;
      if (vision && !dim.divides) dim.remedy += std::string("; or ") + kWholeTower;
      if (dim.divides && dim.effect.empty()) dim.effect = "float here: as W8A8 it would run in Triton, not in CUTLASS";
    } else if (dim.alignment < kMarlinInputs) {
      if (dim.effect.empty())
        dim.effect = "a multiple of " + std::to_string(dim.alignment) +
                     ": W8A8 per channel and float run as they are, scales in groups of 128 (AWQ, GPTQ) do not divide";
      dim.remedy =
          "nothing for W8A8; for groups of 128, or Marlin (W8A16) without padding of its own, " + padded + tiles + same;
    }
    dims.push_back(dim);
  }

  void merger(std::int64_t value, std::int64_t out) {
    ParallelDim dim;
    dim.field = "vision_config.spatial_merge_size^2 * hidden_size";
    dim.modules = "visual.merger.mlp";
    dim.value = value;
    for (const char* linear : {"visual.merger.mlp.0", "visual.merger.mlp.2"}) count(dim, linear);
    dim = cut(dim);
    if (dim.divides) tell(dim, {{dim.per_rank, value}, {out, dim.per_rank}});
    if (!dim.divides || !dim.effect.empty()) dim.remedy = kWholeTower;
    dims.push_back(dim);
  }

  void vocabulary(std::int64_t value) {
    ParallelDim dim;
    dim.field = "vocab_size";
    dim.modules = "model.embed_tokens, lm_head";
    dim.value = value;
    count(dim, "lm_head");
    const std::int64_t padded = rounded_up(value, kVocabPadding);
    dim.divides = padded % ranks_ == 0;
    dim.per_rank = padded / ranks_;
    dim.alignment = largest_alignment(dim.per_rank);
    if (!dim.divides)
      dim.remedy =
          "vLLM pads the vocabulary to " + std::to_string(padded) + ": choose a number of ranks that divides that";
    dims.push_back(dim);
  }

  std::vector<ParallelDim> dims;

 private:
  std::int64_t per_rank_kv(const Tower& tower) const { return std::max<std::int64_t>(1, tower.kv_heads / ranks_); }
  /// Output channels of the fused q, k and v on a rank.
  std::int64_t qkv(const Tower& tower) const {
    return (tower.heads / ranks_ + 2 * per_rank_kv(tower)) * tower.head_dim;
  }

  void count(ParallelDim& dim, const std::string& linear) const {
    const StoredScheme scheme = checkpoint_.scheme_of(linear);
    if (scheme == StoredScheme::w8a8_dynamic) ++dim.w8a8;
    if (scheme == StoredScheme::w8a16) ++dim.w8a16;
  }
  ParallelDim start(const char* field, const char* modules, std::int64_t value, const Tower& tower,
                    std::initializer_list<const char*> linears) const {
    ParallelDim dim;
    dim.field = field;
    dim.modules = modules;
    dim.value = value;
    // Any block may be stored unlike the first.
    for (std::int64_t block = 0; block < tower.blocks; ++block)
      for (const char* linear : linears) count(dim, tower.prefix + std::to_string(block) + "." + linear);
    return dim;
  }
  ParallelDim cut(ParallelDim dim) const {
    dim.divides = dim.value % ranks_ == 0;
    dim.per_rank = dim.value / ranks_;
    dim.alignment = dim.divides ? largest_alignment(dim.per_rank) : 0;
    return dim;
  }
  /// What the kernels of the stored schemes make of a rank's products.
  static void tell(ParallelDim& dim, Products products) {
    if (dim.w8a8 > 0 && !cutlass_takes(products))
      dim.effect = "vLLM runs these W8A8 products in Triton, CUTLASS takes multiples of 16 alone";
    if (dim.w8a16 > 0 && !marlin_takes(products)) {
      if (!dim.effect.empty()) dim.effect += "; ";
      dim.effect +=
          "Marlin's W8A16 products take inputs in multiples of 128 and outputs in multiples of 64: vLLM before June "
          "2026 (pull request 45295) refuses others unless another kernel takes them, later it pads them";
    }
  }

  const Checkpoint& checkpoint_;
  std::int64_t ranks_;
};

}  // namespace

std::vector<ParallelDim> qwen2_5_vl_parallel_dims(const Checkpoint& checkpoint, const Qwen25VlConfig& config,
                                                  std::int64_t ranks) {
  const TextConfig& text = config.text;
  const VisionConfig& vision = config.vision;
  const Tower language{"model.layers.",          text.num_hidden_layers,   text.hidden_size,
                       text.num_attention_heads, text.num_key_value_heads, text.head_dim};
  const Tower tower{"visual.blocks.", vision.depth,     vision.hidden_size,
                    vision.num_heads, vision.num_heads, vision.head_dim()};
  Dims all(checkpoint, ranks);
  all.heads("num_attention_heads", "model.layers.*.self_attn.q_proj, o_proj", language,
            {"self_attn.q_proj", "self_attn.o_proj"}, "choose a number of ranks that divides the heads");
  all.kv_heads(language);
  all.mlp("intermediate_size", "model.layers.*.mlp", text.intermediate_size, language, false);
  all.vocabulary(text.vocab_size);
  all.heads("vision_config.num_heads", "visual.blocks.*.attn", tower, {"attn.qkv", "attn.proj"},
            "choose a number of ranks that divides the heads, or vLLM's --mm-encoder-tp-mode data");
  all.mlp("vision_config.intermediate_size", "visual.blocks.*.mlp", vision.intermediate_size, tower, true);
  all.merger(vision.merged_size(), vision.out_hidden_size);
  return std::move(all.dims);
}

}  // namespace octavo::model
