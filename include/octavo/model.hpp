/// Vision-language models: open a directory, run it, generate; and the block-by-block view that quantization walks.
///
///     Model model = Model::open("Qwen2.5-VL-3B-Instruct");
///     Image image = load_image("cat.jpg");
///     std::cout << model.generate(model.prepare("What is this?", {&image, 1})).text;
///
/// Model is for most callers; Session for those who drive prefill and decode themselves; BlockwiseModel for jobs that
/// may hold only one block in memory. All three run the same blocks. Arithmetic is float32 over weights as stored
/// (f32, bf16, f16, or int8 under int8 or float activations).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/gemm.hpp"
#include "octavo/image.hpp"
#include "octavo/text.hpp"

namespace octavo {

/// A prompt after preprocessing: everything a forward pass reads.
struct ModelInput {
  std::vector<std::int32_t> ids;     ///< image pads expanded: t*h*w / merge^2 of them per image
  std::vector<PixelPatches> images;  ///< in order of appearance
  double preprocess_seconds = 0;     ///< what Model::prepare took
};

/// How the next token is chosen. Spec: Hugging Face's logits processors, in their order.
struct SamplingOptions {
  bool do_sample = false;           ///< false: the best token; the repetition penalty acts all the same
  double temperature = 1.0;         ///< >= 0; 0 means greedy
  std::int64_t top_k = 50;          ///< keeps the k best and their ties; 0: off
  double top_p = 1.0;               ///< in [0, 1]; keeps the smallest set that reaches this probability; 1: off
  double repetition_penalty = 1.0;  ///< > 0; applied once to every distinct id of prompt and answer; 1: off
  std::uint64_t seed = 0;           ///< the same seed gives the same tokens
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 256;  ///< clamped so that prompt and answer fit max_position_embeddings
  bool use_cache = true;  ///< a property of the call, never of a checkpoint; false runs everything every step
  std::optional<SamplingOptions> sampling;  ///< absent: generation_config.json's, else greedy
  std::vector<std::int32_t> stop_ids;       ///< besides generation_config.json's eos ids
  bool ignore_eos = false;                  ///< leaves generation_config.json's eos ids out
  /// Called per token with its id and the text that became complete; false stops the generation. The text that the
  /// last tokens held back (half a character) comes with the last call. Called from the generating thread.
  std::function<bool(std::int32_t id, std::string_view text)> on_token;
  /// The same for a batch, where on_token must be empty: with the sequence's index, which alone false stops.
  std::function<bool(std::size_t sequence, std::int32_t id, std::string_view text)> on_batch_token;
  const std::atomic<bool>* cancel = nullptr;  ///< looked at before every layer
};

enum class FinishReason : std::uint8_t { stop, length, cancelled };

struct GenerateResult {
  std::vector<std::int32_t> tokens;  ///< new ones, the stop token included
  std::string text;                  ///< special tokens skipped; empty when the directory has no tokenizer
  std::int64_t prompt_tokens = 0;
  FinishReason finish_reason = FinishReason::stop;
  double preprocess_seconds = 0, vision_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

/// One linear layer of a model, by name and size.
struct LinearInfo {
  std::string module_path;  ///< published layout: "model.layers.0.self_attn.q_proj"
  std::string input_group;  ///< linears with the same group see the same input: "model.layers.0.self_attn.qkv_input"
  std::int64_t in_features = 0, out_features = 0;
  bool has_bias = false;
};

/// An opened model; immutable, may be shared between threads; copies share it. Float weights stay mapped as stored,
/// int8 ones are packed once.
class Model {
 public:
  /// Reads config.json and the headers, checks every tensor, maps the weights. The tokenizer and the image processor
  /// are read when first needed: a directory without them still runs on token ids.
  /// @throws Error  format with every missing or misshapen tensor, its expected and actual shape and the config field
  ///                behind it; unsupported for another architecture.
  static Model open(const std::string& directory);

  const Checkpoint& checkpoint() const;
  const Tokenizer& tokenizer() const;                   ///< throws not_found when the directory has none
  const ImageProcessorConfig& image_processor() const;  ///< preprocessor_config.json
  std::int64_t vocab_size() const;                      ///< rows of the embedding; may exceed the tokenizer's
  std::int64_t max_position_embeddings() const;
  std::size_t resident_bytes() const;  ///< bytes of weights a run touches: packed, converted or mapped

  /// Chat template + tokenizer + image processor. The images are those of the parts, in order.
  ModelInput prepare(std::span<const ChatMessage> messages, std::span<const Image> images,
                     const ChatOptions& options = {}) const;
  ModelInput prepare(std::string_view user_text, std::span<const Image> images) const;  ///< images first, then the text

  /// f32 [image tokens, hidden]; undefined without images.
  Tensor encode_images(const ModelInput& input) const;
  /// Logits of every position, uncached: f32 [L, vocab]. hidden_states, when given, receives one [L, hidden] per
  /// layer output, before the final norm.
  Tensor forward(const ModelInput& input, std::vector<Tensor>* hidden_states = nullptr) const;
  /// @throws Error  invalid_argument: empty prompt, ids outside the vocabulary, a prompt longer than
  ///                max_position_embeddings, image pads that do not fit the images, options out of their domain.
  GenerateResult generate(const ModelInput& input, const GenerateOptions& options = {}) const;
  /// A batch: one result per input, in order. The rows of all sequences go through the products together, so that each
  /// weight is read once per step; positions, cache and attention are each sequence's own, and nothing is padded. A
  /// sequence ends at its own stop token or limit and then leaves the batch. Each samples from its own generator,
  /// started at the same seed as it would be alone: tokens do not depend on the company or its order, but for ties
  /// within float rounding. The seconds of a step count in every sequence that took part.
  /// @throws Error  as above, with the sequence's index; invalid_argument for an empty batch. Nothing is returned then.
  std::vector<GenerateResult> generate(std::span<const ModelInput> inputs, const GenerateOptions& options = {}) const;

  /// The linears of the blocks, in the order they run, vision tower first; merger and lm_head are not among them.
  std::vector<LinearInfo> linears() const;
  const Linear& linear(std::string_view module_path) const;  ///< lives as long as the model; throws not_found
  /// A model that runs `replacements` where their module paths say, and shares everything else with this one, which
  /// stays as it is. For questions of the kind "what if this layer were in float".
  /// @throws Error  not_found for a path that linears() does not list; shape_mismatch; invalid_argument for an
  ///                undefined linear, or two of one path.
  Model with_linears(std::span<const Linear> replacements) const;

  struct Impl;

 private:
  friend class Session;
  std::shared_ptr<const Impl> impl_;
};

/// A conversation's state: cache + positions, for callers that drive prefill and decode themselves. Positions, mask
/// and cache length come from one SequenceState. One thread at a time; distinct sessions are independent.
class Session {
 public:
  /// @param capacity  Positions the cache can hold: 1 .. max_position_embeddings.
  Session(const Model& model, std::int64_t capacity);
  /// Feeds new tokens (and the images among them, each whole); logits of the last position, f32 [vocab].
  /// If it throws, the session is as before.
  Tensor feed(const ModelInput& input);
  /// Feeds inputs[i] to sessions[i], all in one call: logits of each one's last position, f32 [sessions, vocab]. They
  /// may be in any state: one reads a prompt while another decodes. If it throws, all are as before.
  /// @throws Error  invalid_argument naming the session: of another model, given twice, or what feed refuses.
  static Tensor feed(std::span<Session* const> sessions, std::span<const ModelInput> inputs);
  std::int64_t past() const noexcept;
  void reset();  ///< forgets every position; keeps the memory
  /// An independent session that goes on from the same positions; copies the cache.
  Session fork() const;

 private:
  struct Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

/// A token and the chance that sampling would draw it.
struct TokenProbability {
  std::int32_t id = 0;
  double probability = 0;
};
/// What one step draws from, best first: the ids that survive every filter, probabilities summing to 1 (greedy: one
/// id). `history` is prompt and answer so far.
/// @throws Error  invalid_argument: options out of their domain; internal: no logit is finite.
std::vector<TokenProbability> sampling_distribution(std::span<const float> logits,
                                                    std::span<const std::int32_t> history,
                                                    const SamplingOptions& options);

// --- Structure: what a checkpoint must hold, from config.json alone -------------------------------------------------

/// A tensor that config.json promises.
struct ExpectedTensor {
  std::string name;  ///< published layout: "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  std::string because;    ///< "num_attention_heads * head_dim = 2048, hidden_size = 2048"
  bool optional = false;  ///< may be absent: lm_head.weight of a tied model
  /// Of a linear's weight: stored I8 unless `none`. Every other tensor is F32, BF16 or F16.
  StoredScheme scheme = StoredScheme::none;
};
/// In the order of the forward pass. Reads no weight.
std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint);
/// One line per missing, misshapen, mistyped or unexpected tensor; empty when the model would open.
std::vector<std::string> structure_problems(const Checkpoint& checkpoint);

// --- Block by block -------------------------------------------------------------------------------------------------

/// Sees every linear's input just before it runs. Called from the thread that runs the model.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  /// x[M,K] f32, valid during the call; once per input group, with the group's first linear.
  virtual void on_input(const LinearInfo& linear, const Tensor& x) = 0;
};

/// Hidden rows of one sample on their way through the blocks of a tower.
struct BlockState {
  Tensor hidden;                        // f32 [L, hidden]
  std::shared_ptr<const void> context;  ///< positions, windows; made by begin_*, of use to the same tower only
};

/// One transformer block resident in memory. Weights are replaced in place as they are quantized.
class ModelBlock {
 public:
  virtual ~ModelBlock() = default;
  virtual const std::string& module_path() const noexcept = 0;    ///< "model.layers.0"
  virtual std::vector<LinearInfo> linears() const = 0;            ///< in the order they run
  virtual Tensor weight(std::string_view module_path) const = 0;  ///< [N,K] as stored; undefined once replaced
  virtual Tensor bias(std::string_view module_path) const = 0;    ///< [N] as stored; undefined without one
  virtual void replace(std::string_view module_path, const Linear& linear) = 0;  ///< drops the stored weight
  virtual const Linear& linear(std::string_view module_path) const = 0;
  /// Uncached; causal in the language model, windowed or per frame in the vision tower. `observer` may be null.
  virtual void forward(BlockState& state, LinearObserver* observer) const = 0;
};

enum class Tower : std::uint8_t { vision, language };

/// A model as a sequence of towers of blocks, loaded one at a time. The order is the order of calibration.
class BlockwiseModel {
 public:
  virtual ~BlockwiseModel() = default;
  static std::unique_ptr<BlockwiseModel> open(const Checkpoint& checkpoint);  ///< registry by model_type
  virtual std::int64_t num_blocks(Tower tower) const = 0;
  virtual std::unique_ptr<ModelBlock> load_block(Tower tower, std::int64_t index) const = 0;
  /// Patch embedding, windows; hidden undefined without images.
  virtual BlockState begin_vision(const ModelInput& input) const = 0;
  virtual Tensor finish_vision(const BlockState& state) const = 0;  ///< merger: [image tokens, hidden]
  /// Embed, scatter the vision rows (undefined without images), positions.
  virtual BlockState begin_language(const ModelInput& input, const Tensor& vision) const = 0;
  /// Linears outside the blocks (merger, lm_head), never quantized by default.
  virtual std::vector<LinearInfo> other_linears() const = 0;
};

}  // namespace octavo
