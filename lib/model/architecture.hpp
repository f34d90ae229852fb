// What an architecture gives to the rest of the module; registry.cpp finds it by model_type.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/cancel.hpp"
#include "octavo/config.hpp"
#include "octavo/model.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// The caller's cancel flag and that of the thread's CancelScope, looked at between layers.
class CancelToken {
 public:
  explicit CancelToken(const std::atomic<bool>* flag = nullptr) : flag_(flag) {}
  bool requested() const noexcept {
    return (flag_ != nullptr && flag_->load(std::memory_order_relaxed)) || cancel_requested();
  }
  /// Throws Error(cancelled).
  void check() const {
    if (requested()) throw Error(ErrorCode::cancelled, "cancelled by the caller");
  }

 private:
  const std::atomic<bool>* flag_;
};

/// One sequence's share of a call.
struct SequenceCall {
  SequenceState* state = nullptr;  ///< its own; a sequence is in a call once
  KvCache* cache = nullptr;        ///< its own; absent: uncached
  Tensor ids;                      // s32 [q_len], the new ones; without data: as many text tokens
  std::size_t generated_from =
      SIZE_MAX;                    ///< ids from here on are the model's own: text even when they spell an image pad
  std::span<const Grid> grids;     ///< of the images among ids
  Tensor vision;                   // f32 [image tokens, hidden]; undefined without images
  const CallPlan* plan = nullptr;  ///< of the ids; absent: the state plans them with the grids
  std::int64_t logit_rows = 1;     ///< of how many of its last rows logits are wanted; 0 .. q_len
};

/// Token ids over the caller's memory, which must outlive the call.
inline Tensor ids_over(std::span<const std::int32_t> ids) {
  return Tensor::borrow(static_cast<const void*>(ids.data()), DType::s32, {static_cast<std::int64_t>(ids.size())});
}

/// One forward call of the language model. The rows of all sequences, one behind the other, go through norms and
/// products together; positions, cache and attention are each sequence's own. Nothing is padded.
struct LanguageCall {
  std::span<const SequenceCall> sequences;  ///< at least one, in any state: one prefills, another decodes
  std::vector<Tensor>* hidden_states = nullptr;
  std::span<const std::int64_t> hidden_layers;  ///< which of them, ascending; empty: all
  Tensor* last_hidden_state = nullptr;          ///< receives all rows after the final norm
  CancelToken cancel;
};

/// Counts the parts of a model as they are opened. One thread at a time.
class OpenSteps {
 public:
  explicit OpenSteps(OpenWatch watch = {}, std::int64_t total = 0) : watch_(std::move(watch)), total_(total) {}
  void begin(std::string_view part) {  ///< @throws Error  cancelled.
    const bool refused = watch_.progress && !watch_.progress(part, std::min(done_, total_), total_);
    if (refused || CancelToken(watch_.cancel).requested())
      throw Error(ErrorCode::cancelled, "opening the model was cancelled by the caller");
    ++done_;
  }

 private:
  OpenWatch watch_;
  std::int64_t done_ = 0, total_;
};

/// What images are to the language model.
struct ImageLayout {
  std::int64_t merge_size = 1;      ///< grids are whole merge_size x merge_size groups of patches; a group is a token
  std::int64_t patch_elements = 0;  ///< values of a row of pixels
  std::int64_t row_width = 0;       ///< of an image token's row
  std::int64_t delimiters = 0;      ///< tokens around an image
};

/// An opened model; immutable. Opened without data (ArchitectureEntry::open_without_data), it does the same over
/// tensors without data: that is what a plan records.
class Architecture {
 public:
  virtual ~Architecture() = default;
  virtual std::int64_t vocab_size() const noexcept = 0;
  virtual std::int64_t max_position_embeddings() const noexcept = 0;
  virtual std::int64_t num_layers() const noexcept = 0;  ///< of the language model
  virtual std::int32_t image_token_id() const noexcept = 0;
  virtual std::int64_t tokens_of(const Grid& grid) const noexcept = 0;  ///< text positions of an image
  virtual ImageLayout image_layout() const noexcept = 0;
  virtual std::size_t weight_bytes() const noexcept = 0;
  virtual SequenceState new_state() const = 0;
  virtual KvCache new_cache(std::int64_t capacity, DType dtype = DType::f32) const = 0;
  /// Ids in the vocabulary, pixel rows that fit their grids, as many pads as the grids need; throws invalid_argument.
  virtual void check_input(const ModelInput& input) const = 0;
  virtual Tensor encode_images(const ModelInput& input, const CancelToken& cancel) const = 0;
  /// Positions and mask of a sequence's ids behind what its state has committed.
  virtual CallPlan plan(const SequenceCall& sequence) const = 0;
  /// As Model's of the same names.
  virtual std::vector<LinearInfo> linears() const = 0;
  virtual const Linear& linear(std::string_view module_path) const = 0;
  virtual std::unique_ptr<Architecture> with_linears(std::span<const Linear> replacements) const = 0;
  /// The first alone of the blocks whose weights have equal types and shapes: a shorter model, for plans.
  virtual std::unique_ptr<Architecture> with_distinct_blocks() const = 0;
  /// Logits f32 [logit rows, vocab], sequence by sequence; undefined where none are wanted. States and caches advance
  /// together, and only on success: a call that throws leaves all of them as they were.
  virtual Tensor run(const LanguageCall& call) const = 0;
};

/// One line of the registry.
struct ArchitectureEntry {
  std::string_view model_type;
  std::unique_ptr<Architecture> (*open)(const Checkpoint& checkpoint, const ModelOptions& options,
                                        const OpenWatch& watch);
  /// From the headers alone, whatever they say: what does not fit is a broken contract of the run.
  std::unique_ptr<Architecture> (*open_without_data)(const Checkpoint& checkpoint);
  std::unique_ptr<BlockwiseModel> (*open_blockwise)(const Checkpoint& checkpoint, const ModelOptions& options);
  std::vector<ExpectedTensor> (*expected_tensors)(const Checkpoint& checkpoint);
  /// Everything wrong with config.json, and what is worth knowing.
  std::vector<CheckProblem> (*config_problems)(const Json& config);
  /// expected_tensors as far as config.json lets them be told: false, and none, when it does not. What
  /// quantization_config makes unreadable is appended to `problems`.
  bool (*known_tensors)(const Checkpoint& checkpoint, std::vector<ExpectedTensor>& expected,
                        std::vector<CheckProblem>& problems);
  std::vector<ParallelDim> (*tensor_parallel_dims)(const Checkpoint& checkpoint, std::int64_t ranks);
};

/// By config.json's model_type; throws unsupported listing what there is.
const ArchitectureEntry& find_architecture(const Checkpoint& checkpoint);
const ArchitectureEntry& find_architecture(const Json& config);

/// Throws format with every structure problem; returns when there is none.
void require_structure(const Checkpoint& checkpoint);

}  // namespace octavo::model
