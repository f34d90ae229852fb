// Where vLLM cuts Qwen2.5-VL: q, k, v, gate and up by output channels, o and down by input channels, the embedding by
// rows; the vision tower alike (unless it runs data-parallel). Source: vLLM's qwen2_5_vl.py, linear.py (ColumnParallel,
// QKVParallel, RowParallel) and vocab_parallel_embedding.py.
#include <string>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

constexpr std::int64_t kKernelGranularity = 16;  // CUTLASS's int8 products: K and N in multiples of 16
constexpr std::int64_t kVocabPadding = 64;       // vLLM pads the vocabulary by itself

std::int64_t largest_alignment(std::int64_t value) {
  for (const std::int64_t step : {128, 64, 32, 16})
    if (value > 0 && value % step == 0) return step;
  return 0;
}

std::int64_t rounded_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

class Dims {
 public:
  Dims(const Checkpoint& checkpoint, std::int64_t ranks) : checkpoint_(checkpoint), ranks_(ranks) {}

  /// Heads: whole ones go to a rank. `width` elements each.
  void heads(const char* field, const char* modules, std::int64_t count, std::int64_t width, const std::string& probe,
             const char* remedy) {
    ParallelDim dim = start(field, modules, count, probe);
    dim.divides = count % ranks_ == 0;
    dim.per_rank = count / ranks_;
    dim.alignment = largest_alignment(dim.per_rank * width);
    if (!dim.divides) dim.remedy = remedy;
    dims.push_back(dim);
  }

  /// Key/value heads: fewer than ranks are repeated.
  void kv_heads(std::int64_t count, std::int64_t width, const std::string& probe) {
    ParallelDim dim = start("num_key_value_heads", "model.layers.*.self_attn.k_proj, v_proj", count, probe);
    const bool repeated = count < ranks_;
    dim.divides = repeated ? ranks_ % count == 0 : count % ranks_ == 0;
    dim.per_rank = repeated ? 1 : count / ranks_;
    dim.alignment = largest_alignment(dim.per_rank * width);
    if (!dim.divides)
      dim.remedy = "choose a number of ranks that divides, or is a multiple of, " + std::to_string(count);
    dims.push_back(dim);
  }

  void mlp(const char* field, const char* modules, std::int64_t value, const std::string& probe, bool vision) {
    ParallelDim dim = cut(field, modules, value, probe);
    const std::string least = std::to_string(rounded_up(value, ranks_ * kKernelGranularity));
    const std::string tiles = std::to_string(rounded_up(value, ranks_ * 128));
    const bool usable = dim.divides && dim.alignment > 0;
    if (!usable) {
      dim.remedy = "pad gate_proj and up_proj with zero rows and down_proj with zero columns to " + least + " (or " +
                   tiles + " for tiles of 128): the answers stay the same, silu(0) * 0 is 0";
      if (vision) dim.remedy += "; or " + std::string(kWholeTower);
    } else if (dim.alignment < 128) {
      dim.remedy = "runs; kernels that want multiples of 128 (group scales, Marlin) need it padded to " + tiles;
    }
    dims.push_back(dim);
  }

  void merger(std::int64_t value) {
    ParallelDim dim =
        cut("vision_config.spatial_merge_size^2 * hidden_size", "visual.merger.mlp", value, "visual.merger.mlp.0");
    if (!dim.divides || dim.alignment == 0) dim.remedy = kWholeTower;
    dims.push_back(dim);
  }

  void vocabulary(std::int64_t value) {
    ParallelDim dim = start("vocab_size", "model.embed_tokens, lm_head", value, "lm_head");
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
  static constexpr const char* kWholeTower =
      "leave the vision tower float and whole on every rank (vLLM: --mm-encoder-tp-mode data)";

  ParallelDim start(const char* field, const char* modules, std::int64_t value, const std::string& probe) const {
    ParallelDim dim;
    dim.field = field;
    dim.modules = modules;
    dim.value = value;
    dim.is_int8 = checkpoint_.scheme_of(probe) != StoredScheme::none;
    return dim;
  }
  ParallelDim cut(const char* field, const char* modules, std::int64_t value, const std::string& probe) const {
    ParallelDim dim = start(field, modules, value, probe);
    dim.divides = value % ranks_ == 0;
    dim.per_rank = value / ranks_;
    dim.alignment = dim.divides ? largest_alignment(dim.per_rank) : 0;
    return dim;
  }

  const Checkpoint& checkpoint_;
  std::int64_t ranks_;
};

}  // namespace

std::vector<ParallelDim> qwen2_5_vl_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks) {
  const Qwen25VlConfig config = Qwen25VlConfig::parse(checkpoint.config());
  const TextConfig& text = config.text;
  const VisionConfig& vision = config.vision;
  Dims all(checkpoint, ranks);
  all.heads("num_attention_heads", "model.layers.*.self_attn.q_proj, o_proj", text.num_attention_heads, text.head_dim,
            "model.layers.0.self_attn.q_proj", "choose a number of ranks that divides the heads");
  all.kv_heads(text.num_key_value_heads, text.head_dim, "model.layers.0.self_attn.k_proj");
  all.mlp("intermediate_size", "model.layers.*.mlp", text.intermediate_size, "model.layers.0.mlp.down_proj", false);
  all.vocabulary(text.vocab_size);
  all.heads("vision_config.num_heads", "visual.blocks.*.attn", vision.num_heads, vision.head_dim(),
            "visual.blocks.0.attn.qkv",
            "choose a number of ranks that divides the heads, or vLLM's --mm-encoder-tp-mode data");
  all.mlp("vision_config.intermediate_size", "visual.blocks.*.mlp", vision.intermediate_size,
          "visual.blocks.0.mlp.down_proj", true);
  all.merger(vision.merged_size());
  return std::move(all.dims);
}

}  // namespace octavo::model
