// Qwen2.5-VL: vision tower with window and full attention, merger, language model with M-RoPE and grouped heads.
// Source: Bai et al. 2025, "Qwen2.5-VL Technical Report" (arXiv:2502.13923), sections 2.1 and 2.1.2.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "octavo/architecture.hpp"

namespace octavo::model {

ArchitectureEntry qwen2_5_vl_entry();

// What the entry is made of.
std::shared_ptr<const Architecture> make_qwen2_5_vl(const Qwen25VlConfig& config);
bool known_qwen2_5_vl_tensors(const Checkpoint& checkpoint, std::vector<ExpectedTensor>& expected,
                              std::vector<CheckProblem>& problems);
std::vector<CheckProblem> qwen2_5_vl_config_problems(const Json& config);
std::vector<ParallelDim> qwen2_5_vl_parallel_dims(const Checkpoint& checkpoint, const Qwen25VlConfig& config,
                                                  std::int64_t ranks);
/// A field of config.json that the tensors' shapes speak against.
struct Contradiction {
  std::string field;  ///< "num_hidden_layers", "vision_config.depth"
  std::int64_t stated = 0, shown = 0;
  std::string tensors;  ///< that show it
};
/// witness.cpp: sets the extents of `config` to what the shapes of the tensors show, where they show one, and lists the
/// fields that were another.
std::vector<Contradiction> follow_tensors(const Checkpoint& checkpoint, Qwen25VlConfig& config);

// --- Vision ---------------------------------------------------------------------------------------------------------

/// What all blocks of the tower share for one set of images. Rows are in window order.
struct VisionContext {
  Tensor window_index;  // i64 [merge groups]: which is at each place
  RotaryTable rotary;   // [N, head_dim]
  Mask windows, frames;
};

class VisionBlock final : public VisionLayer {
 public:
  VisionBlock(WeightSource& weights, const VisionConfig& config, std::int64_t index, FloatMath math);
  void run(BlockState& state, const BlockCall& call) const override;
  std::unique_ptr<VisionLayer> clone() const override { return std::make_unique<VisionBlock>(*this); }

 private:
  /// Of all rows: q and k [rows, heads, D], v [1, rows, heads, D] as a view of what was split.
  struct Heads {
    Tensor q, k, v;
  };
  Heads split(const Tensor& x) const;  // [rows, 3*heads*D]
  /// Adds to hidden in proj where nobody observes; else what is to be added, [rows, Hv].
  Tensor attend(const Tensor& x, const VisionContext& context, const BlockCall& call, Tensor& hidden) const;

  std::int64_t heads_, head_dim_;
  bool full_attention_;
  std::string attention_path_, mlp_path_;
  RmsNorm norm1_;  // [Hv]
  std::size_t qkv_, proj_;
  RmsNorm norm2_;  // [Hv]
  std::size_t gate_, up_, down_;
};

/// Patch rows of all images, embedded and in window order.
class WindowedPatches final : public PatchEmbedding {
 public:
  WindowedPatches(WeightSource& weights, const VisionConfig& config, FloatMath math);
  BlockState begin(const ModelInput& input) const override;
  std::size_t weight_bytes() const noexcept override { return kernel_.size_bytes(); }

 private:
  RotaryTable rotary_table(const std::vector<Grid>& grids, bool has_data) const;
  Tensor embed_patches(const Tensor& pixels) const;  // [P, patch_elements] -> [P, Hv]

  VisionConfig config_;
  Tensor kernel_;       // [Hv, in_channels, temporal_patch_size, patch_size, patch_size] as stored
  Linear patch_embed_;  // over the kernel; undefined without data
};

/// Four patches become one text position, and window order is undone.
class GroupMerger final : public PatchMerger {
 public:
  GroupMerger(WeightSource& weights, const VisionConfig& config, FloatMath math);
  Tensor finish(const BlockState& state) const override;
  std::vector<LinearInfo> linears() const override { return {merge1_.info, merge2_.info}; }
  std::size_t weight_bytes() const noexcept override;

 private:
  VisionConfig config_;
  RmsNorm ln_q_;  // [Hv]
  LoadedLinear merge1_, merge2_;
};

// --- Language -------------------------------------------------------------------------------------------------------

class DecoderLayer final : public LanguageLayer {
 public:
  DecoderLayer(WeightSource& weights, const TextConfig& config, std::int64_t index, FloatMath math);
  void run(Tensor& hidden, const LayerCall& call) const override;
  std::unique_ptr<LanguageLayer> clone() const override { return std::make_unique<DecoderLayer>(*this); }

 private:
  /// Head projections of all rows: [rows, heads, D].
  struct Heads {
    Tensor q, k, v;
  };
  Heads project(const Tensor& x, const LayerCall& call) const;
  /// Adds to hidden in o_proj where nobody observes; else what is to be added, [rows, H].
  Tensor attend(const Tensor& x, const LayerCall& call, Tensor& hidden) const;

  std::int64_t heads_, kv_heads_, head_dim_;
  std::string attention_path_, mlp_path_;
  RmsNorm input_norm_;  // [H]
  std::size_t q_, k_, v_, o_;
  RmsNorm post_norm_;  // [H]
  std::size_t gate_, up_, down_;
};

}  // namespace octavo::model
