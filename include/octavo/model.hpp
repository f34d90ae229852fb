/// Vision-language models: open a directory, run it, generate; and the block-by-block view that quantization walks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/gemm.hpp"
#include "octavo/image.hpp"
#include "octavo/text.hpp"

namespace octavo {

/// One linear layer of a model, as quantization sees it.
struct LinearInfo {
  std::string module_path;   ///< published layout: "model.layers.0.self_attn.q_proj"
  std::string input_group;   ///< linears with the same group see the same input: "model.layers.0.self_attn.qkv_input"
  std::int64_t in_features = 0, out_features = 0;
  bool has_bias = false;
};

/// Sees every linear's input just before it runs. Called from the thread that runs the model.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  virtual void on_input(const LinearInfo& linear, const Tensor& x) = 0;  // x[M,K] f32; once per input group
};

/// A prompt after preprocessing: everything a forward pass reads.
struct ModelInput {
  std::vector<std::int32_t> ids;       ///< image pads expanded
  std::vector<PixelPatches> images;    ///< in order of appearance
};

/// Hidden rows of one sample on their way through the blocks of a tower.
struct BlockState {
  Tensor hidden;                       // f32 [L, hidden]
  std::shared_ptr<const void> context; ///< positions, windows; owned by the tower
};

/// One transformer block resident in memory. Weights are replaced in place as they are quantized.
class ModelBlock {
 public:
  virtual ~ModelBlock() = default;
  virtual const std::string& module_path() const noexcept = 0;          ///< "model.layers.0"
  virtual std::vector<LinearInfo> linears() const = 0;
  virtual Tensor weight(std::string_view module_path) const = 0;         ///< [N,K] as stored
  virtual void replace(std::string_view module_path, const Linear& linear) = 0;
  virtual const Linear& linear(std::string_view module_path) const = 0;
  virtual void forward(BlockState& state, LinearObserver* observer) const = 0;  ///< uncached, causal / windowed
};

/// A model as a sequence of towers of blocks, loaded one at a time. The order is the order of calibration.
enum class Tower : std::uint8_t { vision, language };
class BlockwiseModel {
 public:
  virtual ~BlockwiseModel() = default;
  static std::unique_ptr<BlockwiseModel> open(const Checkpoint& checkpoint);  ///< registry by model_type
  virtual std::int64_t num_blocks(Tower tower) const = 0;
  virtual std::unique_ptr<ModelBlock> load_block(Tower tower, std::int64_t index) const = 0;
  virtual BlockState begin_vision(const ModelInput& input) const = 0;      ///< patch embedding, windows; hidden undefined without images
  virtual Tensor finish_vision(const BlockState& state) const = 0;         ///< merger: [image tokens, hidden]
  virtual BlockState begin_language(const ModelInput& input, const Tensor& vision) const = 0;  ///< embed + scatter + positions
  /// Linears outside the blocks (merger, lm_head), never quantized by default.
  virtual std::vector<LinearInfo> other_linears() const = 0;
};

struct SamplingOptions {
  bool do_sample = false;
  double temperature = 1.0;
  std::int64_t top_k = 50;
  double top_p = 1.0;
  double repetition_penalty = 1.0;
  std::uint64_t seed = 0;
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 256;
  bool use_cache = true;                             ///< a property of the call, never of a checkpoint
  std::optional<SamplingOptions> sampling;           ///< absent: generation_config.json's, else greedy
  std::vector<std::int32_t> stop_ids;                ///< besides generation_config.json's eos ids
  /// Called per token with its id and the text that became complete; false stops the generation.
  std::function<bool(std::int32_t id, std::string_view text)> on_token;
  const std::atomic<bool>* cancel = nullptr;
};
enum class FinishReason : std::uint8_t { stop, length, cancelled };
struct GenerateResult {
  std::vector<std::int32_t> tokens;   ///< new ones, the stop token included
  std::string text;                   ///< special tokens skipped
  std::int64_t prompt_tokens = 0;
  FinishReason finish_reason = FinishReason::stop;
  double preprocess_seconds = 0, vision_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

/// An opened model; immutable, may be shared between threads. Weights stay mapped as stored.
class Model {
 public:
  static Model open(const std::string& directory);
  const Checkpoint& checkpoint() const;
  const Tokenizer& tokenizer() const;
  const ImageProcessorConfig& image_processor() const;
  std::int64_t vocab_size() const;
  std::int64_t max_position_embeddings() const;
  std::size_t resident_bytes() const;

  /// Chat template + tokenizer + image processor.
  ModelInput prepare(std::span<const ChatMessage> messages, std::span<const Image> images, const ChatOptions& options = {}) const;
  ModelInput prepare(std::string_view user_text, std::span<const Image> images) const;  ///< images first, then the text

  Tensor encode_images(const ModelInput& input) const;                // f32 [image tokens, hidden]
  /// Logits of every position, uncached: f32 [L, vocab]. hidden_states, when given, receives one [L, hidden] per layer output.
  Tensor forward(const ModelInput& input, std::vector<Tensor>* hidden_states = nullptr) const;
  GenerateResult generate(const ModelInput& input, const GenerateOptions& options = {}) const;

  struct Impl;

 private:
  std::shared_ptr<const Impl> impl_;
};

/// A conversation's state: cache + positions, for callers that drive prefill and decode themselves.
class Session {
 public:
  Session(const Model& model, std::int64_t capacity);
  /// Feeds new tokens (and the images among them); logits of the last position, f32 [vocab].
  Tensor feed(const ModelInput& input);
  std::int64_t past() const noexcept;
  void reset();
 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace octavo
