// Qwen2.5-VL: vision tower with window and full attention, merger, language model with M-RoPE and grouped heads.
// Source: Bai et al. 2025, "Qwen2.5-VL Technical Report" (arXiv:2502.13923), sections 2.1 and 2.1.2.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "architecture.hpp"
#include "block.hpp"
#include "octavo/detail/pooled.hpp"

namespace octavo::model {

ArchitectureEntry qwen2_5_vl_entry();

/// Names, shapes and reasons, in the order of the forward pass.
std::vector<ExpectedTensor> qwen2_5_vl_tensors(const Checkpoint& checkpoint);
/// The same for a config of one's own; with `problems`, a scheme that cannot be run is reported, once each, and its
/// linear taken for a float one.
std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint, const Qwen25VlConfig& config,
                                             std::vector<CheckProblem>* problems = nullptr);
/// Whether there are as many tensors as blocks, at least; and the line that says they are not.
bool is_plausible(const Checkpoint& checkpoint, const Qwen25VlConfig& config);
std::string implausible(const Checkpoint& checkpoint, const Qwen25VlConfig& config);
/// Throws format when config.json promises more blocks than the files hold tensors: a list of what is missing would be
/// of no use, and as long as a wrong number wants it to be.
void require_plausible_blocks(const Checkpoint& checkpoint, const Qwen25VlConfig& config);
/// What ArchitectureEntry asks for.
bool known_qwen2_5_vl_tensors(const Checkpoint& checkpoint, std::vector<ExpectedTensor>& expected,
                              std::vector<CheckProblem>& problems);
std::vector<CheckProblem> qwen2_5_vl_config_problems(const Json& config);
std::vector<ParallelDim> qwen2_5_vl_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks);
/// config.json as parsed, with tie_word_embeddings settled by the tensors (embedding_is_head).
Qwen25VlConfig qwen2_5_vl_config(const Checkpoint& checkpoint);
/// A field of config.json that the tensors' shapes speak against.
struct Contradiction {
  std::string field;  ///< "num_hidden_layers", "vision_config.depth"
  std::int64_t stated = 0, shown = 0;
  std::string tensors;  ///< that show it
};
/// witness.cpp: sets the extents of `config` to what the shapes of the tensors show, where they show one, and lists the
/// fields that were another.
std::vector<Contradiction> follow_tensors(const Checkpoint& checkpoint, Qwen25VlConfig& config);
/// The embedding serves as lm_head; `has_lm_head`: there is an lm_head.weight.
bool is_tied(const Qwen25VlConfig& config, bool has_lm_head);

// --- Vision ---------------------------------------------------------------------------------------------------------

/// What all blocks of the tower share for one set of images. Rows are in window order.
struct VisionContext {
  Tensor window_index;  // i64 [merge groups]: which is at each place
  RotaryTable rotary;   // [N, head_dim]
  Mask windows, frames;
};

class VisionBlock final : public LinearBlock {
 public:
  VisionBlock(const WeightSource& source, const VisionConfig& config, std::int64_t index, FloatMath math);
  void forward(BlockState& state, LinearObserver* observer) const override;
  void run(Tensor& hidden, const VisionContext& context, LinearObserver* observer) const;
  std::size_t weight_bytes() const noexcept;
  std::string stored_as() const;

 private:
  /// Of all rows: q and k [rows, heads, D], v [1, rows, heads, D] as a view of what was split.
  struct Heads {
    Tensor q, k, v;
  };
  Heads split(const Tensor& x) const;  // [rows, 3*heads*D]
  /// Adds to hidden in proj where nobody observes; else what is to be added, [rows, Hv].
  Tensor attend(const Tensor& x, const VisionContext& context, LinearObserver* observer, Tensor& hidden) const;

  std::int64_t heads_, head_dim_;
  bool full_attention_;
  std::string attention_path_, mlp_path_;
  RmsNorm norm1_, norm2_;  // [Hv]
  std::size_t qkv_, proj_, gate_, up_, down_;
};

/// The two ends of the tower: patch embedding before the blocks, merger after them.
class VisionEnds {
 public:
  VisionEnds(const WeightSource& source, const VisionConfig& config, FloatMath math);
  /// Patch rows of all images, embedded and in window order; hidden undefined without images.
  BlockState begin(const ModelInput& input) const;
  Tensor finish(const Tensor& hidden, const VisionContext& context) const;
  std::vector<LinearInfo> linears() const;
  std::size_t weight_bytes() const noexcept;

 private:
  RotaryTable rotary_table(const std::vector<Grid>& grids, bool has_data) const;
  Tensor embed_patches(const Tensor& pixels) const;  // [P, patch_elements] -> [P, Hv]

  VisionConfig config_;
  Tensor kernel_;       // [Hv, in_channels, temporal_patch_size, patch_size, patch_size] as stored
  Linear patch_embed_;  // over the kernel; undefined without data
  RmsNorm ln_q_;        // [Hv]
  LoadedLinear merge1_, merge2_;
};

// --- Language -------------------------------------------------------------------------------------------------------

/// One sequence among the rows of a call.
struct LanguagePart {
  CallPlan plan;
  KvCache* cache = nullptr;     ///< absent: uncached
  std::int64_t first = 0;       ///< its rows are [first, first + plan.q_len)
  std::int64_t logit_rows = 1;  ///< the last of them, whose logits are wanted
};

/// What all layers share for one call.
struct LanguageContext {
  detail::PooledVector<LanguagePart> parts;
  RotaryTable rotary;  // [rows, head_dim]: the sequences' tables, one behind the other
};

class DecoderLayer final : public LinearBlock {
 public:
  DecoderLayer(const WeightSource& source, const TextConfig& config, std::int64_t index, FloatMath math);
  void forward(BlockState& state, LinearObserver* observer) const override;  ///< uncached
  /// @param cache_layer  Of the caches: the layer's place among those that run.
  void run(Tensor& hidden, const LanguageContext& context, std::int64_t cache_layer, LinearObserver* observer) const;
  std::size_t weight_bytes() const noexcept;
  std::string stored_as() const;

 private:
  /// Head projections of all rows: [rows, heads, D].
  struct Heads {
    Tensor q, k, v;
  };
  Heads project(const Tensor& x) const;
  /// Adds to hidden in o_proj where nobody observes; else what is to be added, [rows, H].
  Tensor attend(const Tensor& x, const LanguageContext& context, std::int64_t cache_layer, LinearObserver* observer,
                Tensor& hidden) const;
  /// One sequence's attention over its own rows and cache: [its rows, heads*D].
  Tensor attend_part(const Heads& heads, const LanguagePart& part, std::int64_t cache_layer) const;

  std::int64_t heads_, kv_heads_, head_dim_;
  std::string attention_path_, mlp_path_;
  RmsNorm input_norm_, post_norm_;  // [H]
  std::size_t q_, k_, v_, o_, gate_, up_, down_;
};

/// The two ends of the language model: embedding before the layers, final norm and lm_head after them.
class LanguageEnds {
 public:
  LanguageEnds(const WeightSource& source, const Qwen25VlConfig& config, const ModelOptions& options);
  /// Embeds all rows, and writes each sequence's vision rows over its pads among ids[0, generated_from).
  Tensor embed(std::span<const SequenceCall> sequences) const;
  /// Plans every sequence from its own state; pads from `generated_from` on count as text.
  LanguageContext context(std::span<const SequenceCall> sequences) const;
  Tensor logits(const Tensor& hidden) const;  // [rows, H] -> [rows, V]
  Tensor normed(const Tensor& hidden) const { return norm_(hidden); }
  CallPlan plan(const SequenceCall& sequence) const;  ///< as Architecture's
  LinearInfo lm_head_info() const { return lm_head_.info; }
  SequenceState new_state() const;
  bool has_data() const noexcept { return !table_.is_meta(); }
  std::size_t weight_bytes() const noexcept;

 private:
  float* embed_sequence(const SequenceCall& sequence, float* out) const;  ///< returns the end of its last row

  Qwen25VlConfig config_;
  Tensor table_;        // [V,H] as stored
  RmsNorm norm_;        // [H]
  bool head_is_table_;  ///< lm_head multiplies by the table itself
  LoadedLinear lm_head_;
};

/// Everything `Architecture::check_input` promises.
void check_qwen2_5_vl_input(const Qwen25VlConfig& config, const ModelInput& input);
std::vector<Grid> grids_of(const ModelInput& input);

/// blockwise.cpp
std::unique_ptr<BlockwiseModel> open_qwen2_5_vl_blockwise(const Checkpoint& checkpoint, const ModelOptions& options);
/// runtime.cpp
std::unique_ptr<Architecture> open_qwen2_5_vl(const Checkpoint& checkpoint, const ModelOptions& options,
                                              const OpenWatch& watch);
std::unique_ptr<Architecture> open_qwen2_5_vl_without_data(const Checkpoint& checkpoint);

}  // namespace octavo::model
