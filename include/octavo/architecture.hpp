/// @file
/// Architectures of your own: what Octavo needs to know of a model, and the registry by config.json's model_type.
///
///     register_architecture("qwen3", {.read = [](const Json& config) { return std::make_shared<Qwen3>(config); }});
///     Model model = Model::open("Qwen3-0.6B");    // from here on all of Octavo works on it
///
/// An architecture says three things: how config.json is read (its constructor), what a layer of the language model is
/// made of (the layer's constructor asks for its weights by name and shape), and what the layer computes. The rest is
/// derived from them: the tensors that a checkpoint must hold and every problem of one, plans over headers alone,
/// calibration and GPTQ block by block, int8 linears, caches, batches, sessions, generation. Qwen2.5-VL is registered
/// through the same interface (lib/model/qwen2_5_vl). docs/architectures.md is the lesson.
///
/// Fixed, and the same for all: tokens are embedded by model.embed_tokens, times a number; layers are model.layers.0,
/// 1, ..., causal and run in order over hidden rows in float32; behind them come a norm and the product lm_head, which
/// may be tied to the embedding, and whose results may be scaled and capped; pictures, where there is a vision tower,
/// become rows in the place of image pads, with Qwen2.5-VL's positions. Blocks of a tower are visual.blocks.0, 1, ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/config.hpp"
#include "octavo/linear_block.hpp"
#include "octavo/plan.hpp"
#include "octavo/structure.hpp"

namespace octavo {

namespace model {
struct LanguageContext;
}

/// One pass over the rows of one or more sequences, as a layer sees it. Valid while the layer runs.
class LayerCall : public BlockCall {
 public:
  /// Made by the library. `cache_layer`: of the caches, the layer's place among those that run.
  LayerCall(const model::LanguageContext& context, std::int64_t cache_layer, LinearObserver* watcher) noexcept
      : context_(context), cache_layer_(cache_layer) {
    observer = watcher;
  }
  /// What Architecture::rotary made of the rows' positions, for apply_rotary. [rows, head_dim]
  const RotaryTable& rotary() const noexcept;
  /// Causal attention: each sequence over its own rows and, where it has a cache, what that holds; the cache takes the
  /// new keys and values. q[rows, heads, D], k and v[rows, kv_heads, D], after rotary -> [rows, heads * D].
  /// Heads, kv_heads and D are those of the architecture's TextConfig. Once a call, in each layer.
  /// @throws Error  shape_mismatch; not_finite, where a query or a key is NaN or infinite.
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, FloatMath math, std::string_view module_path) const;

 private:
  const model::LanguageContext& context_;
  std::int64_t cache_layer_;
};

/// A layer of the language model, "model.layers.INDEX". Immutable once made, but for `replace`; run from many threads.
class LanguageLayer : public LinearBlock {
 public:
  /// hidden[rows, H] f32, contiguous, in place. A row may depend on other rows by LayerCall::attend alone: rows of
  /// several sequences stand one behind the other, in any number.
  virtual void run(Tensor& hidden, const LayerCall& call) const = 0;
  /// A copy, which shares the weights: `return std::make_unique<Layer>(*this);`. Model::with_linears changes it.
  virtual std::unique_ptr<LanguageLayer> clone() const = 0;
  void forward(BlockState& state, LinearObserver* observer) const final;  ///< of ModelBlock

 protected:
  LanguageLayer(std::int64_t index, FloatMath math) : LinearBlock("model.layers." + std::to_string(index), math) {}
};

// --- Pictures -------------------------------------------------------------------------------------------------------

/// What pictures are to the language model and to the image processor.
struct ImageLayout {
  std::int32_t image_token_id = -1;  ///< the pad that a row of the tower replaces
  std::int32_t video_token_id = -1;  ///< refused wherever it stands
  std::int64_t hidden_size = 0;      ///< of the tower
  std::int64_t patch_size = 0;       ///< pixels of a patch's side
  std::int64_t merge_size = 1;       ///< grids are whole merge_size x merge_size groups of patches; a group is a token
  std::int64_t patch_elements = 0;   ///< values of a row of pixels
  std::int64_t row_width = 0;        ///< of an image token's row: the language model's hidden_size
  std::int64_t delimiters = 0;       ///< tokens around an image
  double tokens_per_second = 2;      ///< of SequenceState

  std::int64_t tokens_of(const Grid& grid) const noexcept {
    return grid.t * grid.h * grid.w / (merge_size * merge_size);
  }
};

/// A block of the vision tower, "visual.blocks.INDEX". As LanguageLayer, over the rows of all pictures of one call.
class VisionLayer : public LinearBlock {
 public:
  /// state.hidden [patches, H] in place; state.context is what PatchEmbedding::begin put there.
  virtual void run(BlockState& state, const BlockCall& call) const = 0;
  virtual std::unique_ptr<VisionLayer> clone() const = 0;
  void forward(BlockState& state, LinearObserver* observer) const final;  ///< of ModelBlock

 protected:
  VisionLayer(std::int64_t index, FloatMath math) : LinearBlock("visual.blocks." + std::to_string(index), math) {}
};

/// What comes before the tower's blocks. Immutable.
class PatchEmbedding {
 public:
  virtual ~PatchEmbedding() = default;
  /// Of the pictures of a checked input, at least one. Where their pixels are without data, so is what comes of them.
  virtual BlockState begin(const ModelInput& input) const = 0;
  virtual std::size_t weight_bytes() const noexcept = 0;
};

/// What comes behind them. Immutable.
class PatchMerger {
 public:
  virtual ~PatchMerger() = default;
  /// [image tokens, row_width], in the order of the pictures.
  virtual Tensor finish(const BlockState& state) const = 0;
  virtual std::vector<LinearInfo> linears() const = 0;
  virtual std::size_t weight_bytes() const noexcept = 0;
};

/// A vision tower, as config.json describes it. Immutable; its functions may be called from many threads.
class VisionTower {
 public:
  virtual ~VisionTower() = default;
  virtual ImageLayout layout() const noexcept = 0;
  virtual std::int64_t num_blocks() const noexcept = 0;
  // Called in this order when tensors are listed.
  virtual std::unique_ptr<PatchEmbedding> embedding(WeightSource& weights, FloatMath math) const = 0;
  virtual std::unique_ptr<VisionLayer> block(WeightSource& weights, std::int64_t index, FloatMath math) const = 0;
  virtual std::unique_ptr<PatchMerger> merger(WeightSource& weights, FloatMath math) const = 0;
};

// --- Around the layers ----------------------------------------------------------------------------------------------

/// Numbers of the model's two ends, in float32. By default nothing is changed.
struct LanguageScales {
  /// A token's row of model.embed_tokens times this: sqrt(hidden_size) in Gemma (Gemma Team 2024, transformers'
  /// modeling_gemma.py), embedding_multiplier in Granite. Rows of pictures are taken as the tower gives them. Finite,
  /// not 0.
  double embedding = 1;
  /// A logit is what lm_head gives times this: 1 / logits_scaling in Granite, logit_scale in Cohere. Finite, above 0.
  double logits = 1;
  /// Then cap * tanh(logit / cap); 0: none. final_logit_softcapping of Gemma 2 (arXiv 2408.00118, section 2). Finite.
  double logit_cap = 0;
  bool changes_logits() const noexcept { return logits != 1 || logit_cap != 0; }
};

/// What stands between the last layer and lm_head.
struct FinalNorm {
  /// hidden[rows, H] f32 -> [rows, H], each row by itself, also without data. From many threads at once.
  std::function<Tensor(const Tensor& hidden)> run;
  std::size_t weight_bytes = 0;
};

// --- The architecture -----------------------------------------------------------------------------------------------

/// An architecture, as one config.json describes it. Immutable; its functions may be called from many threads. Every
/// model that is opened holds it by shared_ptr, and so do copies of the model: it lives as long as they.
class Architecture {
 public:
  virtual ~Architecture() = default;

  /// The language model's extents. Octavo reads vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
  /// num_key_value_heads, head_dim, rms_norm_eps and max_position_embeddings, and refuses what cannot be (a size of 0,
  /// heads that do not divide); `rotary` reads the rest.
  virtual const TextConfig& text() const noexcept = 0;
  /// Layer `index`, 0 .. num_hidden_layers - 1. `math`: of its linears that stay in float, and of its attention.
  virtual std::unique_ptr<LanguageLayer> layer(WeightSource& weights, std::int64_t index, FloatMath math) const = 0;

  /// Rotary tables of the rows' positions [3, rows] i64 (temporal, y, x; all equal for text); without data where those
  /// are. By default of base rope_theta over the whole head, in mrope_section's parts where it is stated.
  virtual RotaryTable rotary(const Tensor& positions) const;
  /// By default 1, 1 and none. Asked for when a model is opened.
  virtual LanguageScales scales() const noexcept { return {}; }
  /// By default the RMSNorm model.norm with rms_norm_eps. Its weights are listed between the last layer's and
  /// lm_head's.
  virtual FinalNorm final_norm(WeightSource& weights) const;
  /// Null, the default: a model of text alone, which refuses pictures. Lives as long as the architecture.
  virtual const VisionTower* vision() const noexcept { return nullptr; }
  /// Where an engine that divides the model among ranks cuts it (octavo::tensor_parallel_dims).
  /// @throws Error  unsupported, by default: how another program cuts it is not known.
  virtual std::vector<ParallelDim> tensor_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks) const;
};

/// One line of the registry. Its functions may be called from many threads at once.
struct ArchitectureEntry {
  /// Reads config.json. What it throws keeps the model from opening: an Error that names file and key (as Json's do)
  /// is told as it is, another exception as `format` behind the model_type.
  std::function<std::shared_ptr<const Architecture>(const Json& config)> read;
  /// Everything wrong with config.json, and what is worth knowing of it. Absent: what `read` throws.
  std::function<std::vector<CheckProblem>(const Json& config)> config_problems = {};
  /// The tensors that a checkpoint is checked against where its config.json is not what `read` takes: false when it
  /// does not let them be told. Absent: expected_tensors of what `read` gives, else none.
  std::function<bool(const Checkpoint& checkpoint, std::vector<ExpectedTensor>& expected,
                     std::vector<CheckProblem>& problems)>
      known_tensors = {};
};

/// Makes an architecture known to the whole process, from now on. Models that are open stay as they are; there is no
/// way back. May be called from any thread, at any time.
/// @throws Error  exists, where `model_type` is registered already, naming what is; invalid_argument for an empty
///                model_type, or an entry that cannot read.
void register_architecture(const std::string& model_type, ArchitectureEntry entry);
/// Every model_type that opens, in alphabetical order. From any thread.
std::vector<std::string> registered_architectures();
/// The architecture of a config.json. From any thread.
/// @throws Error  unsupported naming the model_type and what is registered; what the entry's `read` throws; format
///                naming the field of its TextConfig, LanguageScales or ImageLayout that cannot be; internal where it
///                gives null.
std::shared_ptr<const Architecture> read_architecture(const Json& config);

/// The tensors of an architecture in the order of the forward pass, by what its constructors ask for. With `problems`,
/// a quantization_config that cannot be run is reported there, once each, and how the linear is stored left open.
/// @throws Error  what scheme_of throws.
std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint, const Architecture& architecture,
                                             std::vector<CheckProblem>* problems = nullptr);

}  // namespace octavo
