/// @file
/// A vision-language model: open a directory, prepare a prompt, run it, generate.
///
///     Model model = Model::open("Qwen2.5-VL-3B-Instruct");
///     Image image = load_image("cat.jpg");
///     std::cout << model.generate(model.prepare("What is this?", {&image, 1})).text;
///
/// Model is for most callers; session.hpp is for those who drive prefill and decode themselves, blockwise.hpp for jobs
/// that may hold only one block in memory. All three run the same blocks. Arithmetic is float32 over weights as stored
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
#include <vector>

#include "octavo/boxes.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/files.hpp"
#include "octavo/float_math.hpp"
#include "octavo/gemm.hpp"
#include "octavo/generation_config.hpp"
#include "octavo/image.hpp"
#include "octavo/output_form.hpp"
#include "octavo/sampling.hpp"
#include "octavo/structure.hpp"
#include "octavo/text.hpp"

namespace octavo {

/// What the lm_head multiplies by. Looking tokens up in the embedding reads it as it is stored in any case.
///   as_stored  the checkpoint's lm_head, or its embedding where the two are tied. Where the largest logit decides
///              (greedy; without log-probabilities, forms, rules, biases and on_logits), a large one that is mapped
///              from a file is read through an int8 copy, made after 32 such tokens where the processor has AVX2
///              and memory allows: it bounds every logit, and those that may be the largest are multiplied as stored.
///              The tokens are the same, and half of bf16's bytes are read.
///   int8       a copy in int8, made when the model is opened: round to nearest, one float32 scale per token of the
///              vocabulary, under float activations (W8A16). Decoding reads half the bytes of bf16 there; docs/model.md
///              has what it costs the answers. A checkpoint whose lm_head is int8 already is run as it is stored.
enum class HeadWeights : std::uint8_t { as_stored, int8 };

/// "stored", "int8".
constexpr const char* head_weights_name(HeadWeights weights) noexcept {
  return weights == HeadWeights::int8 ? "int8" : "stored";
}

/// How a model is run, as far as its checkpoint does not say.
struct ModelOptions {
  /// How each tower's linears that stay in float, and its attention, multiply; the patch embedding and the merger
  /// belong to the vision tower, the lm_head to the language model. f32 answers within 1e-4 of Hugging Face's float32.
  FloatMath vision_math = FloatMath::f32;
  FloatMath language_math = FloatMath::f32;
  HeadWeights lm_head = HeadWeights::as_stored;
};

/// Watches a model being opened, block by block.
struct OpenWatch {
  /// What is loaded next, or "ready", and how much of the whole is done; false cancels.
  std::function<bool(std::string_view stage, std::int64_t done, std::int64_t total)> progress;
  const std::atomic<bool>* cancel = nullptr;  ///< may be set from any thread
};

/// A prompt after preprocessing: everything a forward pass reads.
struct ModelInput {
  std::vector<std::int32_t> ids;     ///< image pads expanded: t*h*w / merge^2 of them per image
  std::vector<PixelPatches> images;  ///< in order of appearance
  double preprocess_seconds = 0;     ///< what Model::prepare took
};

/// Tokens of a prompt that one call reads, unless the caller says otherwise.
inline constexpr std::int64_t kPrefillChunk = 512;

/// Speculation by prompt lookup: what followed the answer's last tokens where they stood before, in prompt or answer,
/// is fed along with them, and kept as far as the model chooses the same. It chooses by the same rules from the same
/// logits, so that the answer is the one without. Pays where an answer repeats itself or its prompt: JSON, boxes.
/// Source: Saxena 2023, "Prompt Lookup Decoding"; verification as in Leviathan et al. 2023 (arXiv:2211.17192).
struct PromptLookup {
  static constexpr std::int64_t kMostDraft = 7;  ///< up to 8 rows a product gives each row the bits it has alone
  std::int64_t ngram = 3;           ///< longest run of last tokens that is looked for, >= 1; shorter ones if not found
  std::int64_t draft = kMostDraft;  ///< tokens fed along, at most: 1 .. kMostDraft
};

class PrefixCache;

/// A token of an answer, as soon as it is chosen. What it points to is valid during the call.
struct TokenEvent {
  std::size_t sequence = 0;  ///< of a batch; 0 of one prompt
  std::int32_t id = 0;
  std::string_view text;                     ///< what became complete, may be empty
  const TokenLogProbs* log_probs = nullptr;  ///< where they were asked for
};

struct GenerateOptions {
  /// Absent: generation_config.json's max_new_tokens, or its max_length less the prompt, else 256. Clamped so that
  /// prompt and answer fit max_position_embeddings.
  std::optional<std::int64_t> max_new_tokens;
  bool use_cache = true;           ///< a property of the call, never of a checkpoint; false runs everything every step
  DType cache_dtype = DType::f32;  ///< of keys and values: f32, bf16 or s8, see KvCache
  /// Prompts are read in calls of at most so many tokens, together in a batch: activations then take no more memory for
  /// a long one. 0: in one call, as without a cache. Logits are the same but for float rounding.
  std::int64_t prefill_chunk = kPrefillChunk;
  /// Absent: off. Of a batch of B sequences, each gets at most 8 / B - 1 tokens along. Needs use_cache.
  std::optional<PromptLookup> lookup;
  /// Absent: off. Where prompts and pictures of earlier calls are found again, see prefix_cache.hpp.
  std::shared_ptr<PrefixCache> prefix_cache;
  /// Absent: generation_config.json's, else greedy. What has no effect because do_sample is off is refused.
  std::optional<SamplingOptions> sampling;
  std::optional<GenerationRules> rules;  ///< absent: generation_config.json's
  std::vector<std::int32_t> stop_ids;    ///< besides generation_config.json's eos ids
  bool ignore_eos = false;  ///< leaves generation_config.json's eos ids out; its stop strings are among the rules
  /// Texts that end the answer, as OpenAI's `stop`: the one that is complete first, it and what follows it are left out
  /// of the text. They are looked for in the answer's text alone, which holds no special tokens; the rules'
  /// stop_strings are transformers', which look into the prompt, too, and stay in the text. Callbacks get no text that
  /// may yet turn out to begin one. Needs a tokenizer.
  std::vector<std::string> stop_strings;
  /// Added before the rules act, whether tokens are sampled or not; several of one id add up.
  std::vector<TokenBias> logit_bias;
  /// Called before each token is chosen, with prompt and answer so far and the model's logits, [vocab], which it may
  /// change; bias, rules and sampling then act on those. False ends that sequence without another token. With lookup it
  /// is called in the same order and for the same tokens as without.
  std::function<bool(std::size_t sequence, std::span<const std::int32_t> history, std::span<float> logits)> on_logits;
  /// Absent: none. Else log_probs_of each token of the answer, with so many best ones: 0 .. vocab_size. They are the
  /// model's, whatever on_logits, bias and rules change.
  std::optional<std::int64_t> log_probs;
  /// Called per token with its id and the text that became complete; false stops the generation. The text that the
  /// last tokens held back (half a character) comes with the last call. Called from the generating thread.
  std::function<bool(std::int32_t id, std::string_view text)> on_token;
  /// The same with all that is known of the token, for one prompt and for a batch, where false stops that sequence
  /// alone. Set one of the two.
  std::function<bool(const TokenEvent& event)> on_event;
  /// Absent: any text. Else tokens that cannot continue a text of the form are never chosen, whatever the rules and the
  /// sampling prefer, and the answer ends exactly when the text is complete: at a stop token, which is forced where
  /// nothing else may follow, or, where there are none, at once. max_new_tokens, stop strings and callbacks may cut it
  /// short. Needs a tokenizer.
  std::optional<OutputForm> form;
  const std::atomic<bool>* cancel = nullptr;  ///< looked at before every layer
  /// What the boxes in GenerateResult::text are in. `original` needs pictures that share one scale (see common_scale),
  /// and, since a box is moved when the answer is complete, no on_token.
  BoxSpace boxes = BoxSpace::model;
};

enum class FinishReason : std::uint8_t { stop, length, cancelled };

struct GenerateResult {
  std::vector<std::int32_t> tokens;      ///< new ones, the stop token included
  std::string text;                      ///< special tokens skipped; empty when the directory has no tokenizer
  std::vector<TokenLogProbs> log_probs;  ///< of `tokens`, where options.log_probs asked for them
  std::int64_t prompt_tokens = 0;
  std::int64_t reused_tokens = 0;    ///< of the prompt, whose keys and values came from the prefix cache
  std::int64_t drafted_tokens = 0;   ///< that prompt lookup proposed
  std::int64_t accepted_tokens = 0;  ///< of them, those that the answer holds
  FinishReason finish_reason = FinishReason::stop;
  double preprocess_seconds = 0, vision_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  std::vector<PictureSize> pictures;  ///< of the prompt, in order: own size, and as the model saw it
  std::vector<Box> boxes;             ///< in `text`, see boxes.hpp, in the pixels that were asked for
};

/// An opened model; immutable, may be shared between threads; copies share it. Float weights stay mapped as stored,
/// int8 ones are packed once.
class Model {
 public:
  /// Reads config.json and the headers, checks every tensor, maps the weights. The tokenizer and the image processor
  /// are read when first needed: a directory without them still runs on token ids.
  /// `files`: a directory's path, or files in memory or behind descriptors (files.hpp).
  /// @throws Error  format with every missing or misshapen tensor, its expected and actual shape and the config field
  ///                behind it; unsupported for an architecture that is not registered (architecture.hpp); cancelled by
  ///                the watch.
  static Model open(const FileSource& files, const ModelOptions& options = {}, const OpenWatch& watch = {});

  const ModelOptions& options() const noexcept;  ///< as opened with
  const Checkpoint& checkpoint() const;
  const Tokenizer& tokenizer() const;                   ///< throws not_found when the directory has none
  const FormVocabulary& form_vocabulary() const;        ///< its tokens, for FormState; made when first asked for
  const ChatTemplate& chat_template() const;            ///< how prepare lays prompts out
  const ImageProcessorConfig& image_processor() const;  ///< preprocessor_config.json
  std::int64_t vocab_size() const;                      ///< rows of the embedding; may exceed the tokenizer's
  std::int64_t max_position_embeddings() const;
  bool takes_pictures() const;         ///< has a vision tower
  bool is_pad(std::int32_t id) const;  ///< stands for a picture's or a video's rows; never without a tower
  std::size_t resident_bytes() const;  ///< bytes of weights a run touches: packed, converted or mapped
  /// Of these, what a greedy token reads of an int8 copy of the lm_head (HeadWeights::as_stored); 0: there is none yet,
  /// or none to be had.
  std::size_t greedy_head_bytes() const;

  /// Chat template + tokenizer + image processor. `images` are those of the image parts that do not bring theirs, in
  /// order.
  /// @throws Error  invalid_argument for a picture where the model takes none.
  ModelInput prepare(std::span<const ChatMessage> messages, std::span<const Image> images = {},
                     const ChatOptions& options = {}) const;
  /// @throws Error  invalid_argument where pads stand in the texts themselves: a pad is a picture's place.
  ///                The same for what the chat template refuses.
  ModelInput prepare(std::string_view user_text, std::span<const Image> images,
                     const ChatOptions& options = {}) const;  ///< images first, then the text

  /// What the directory's files ask for and Octavo does not do, a line each: settings of generation_config.json and
  /// tokenizer_config.json, a chat template that cannot be read. `octavo check` says the same, and more.
  std::vector<std::string> notes() const;

  /// f32 [image tokens, hidden]; undefined without images.
  Tensor encode_images(const ModelInput& input) const;
  /// Logits of every position: f32 [L, vocab]. hidden_states, when given, receives one [L, hidden] per layer output,
  /// before the final norm. With a cache_dtype (see KvCache) attention reads keys and values as a cache of that type
  /// gives them back, as it does while generating; without, as they were computed.
  Tensor forward(const ModelInput& input, std::vector<Tensor>* hidden_states = nullptr,
                 std::optional<DType> cache_dtype = std::nullopt) const;
  /// What the layers of these indices give, in that order: f32 [L, hidden] each, before the final norm; -1 is the last
  /// layer. (transformers' hidden_states[i + 1], but for the last, where it has last_hidden_state.) No logit is
  /// computed.
  /// @throws Error  invalid_argument: no such layer.
  std::vector<Tensor> hidden_states(const ModelInput& input, std::span<const std::int64_t> layers) const;
  /// f32 [L, hidden], after the final norm: what the lm_head multiplies, and what embeddings are pooled from.
  Tensor last_hidden_state(const ModelInput& input) const;
  /// @throws Error  invalid_argument: empty prompt, ids outside the vocabulary, a prompt longer than
  ///                max_position_embeddings, image pads that do not fit the images, options out of their domain.
  GenerateResult generate(const ModelInput& input, const GenerateOptions& options = {}) const;
  /// A batch: one result per input, in order. The rows of all sequences go through the products together, so that each
  /// weight is read once per step; positions, cache and attention are each sequence's own, and nothing is padded. A
  /// sequence ends at its own stop token or limit and then leaves the batch. Each samples from its own generator,
  /// started at the same seed as it would be alone: a sequence's tokens depend neither on the other
  /// sequences of the batch nor on their order, except where two logits tie within float rounding. The seconds of a
  /// step count in every sequence that took part.
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
  friend class RunningBatch;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace octavo
