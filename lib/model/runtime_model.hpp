// The whole model: every block mapped or packed, ready for prefill and decode; or without data, ready to be planned.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check_input.hpp"
#include "language_ends.hpp"
#include "octavo/architecture.hpp"
#include "octavo/cancel.hpp"
#include "octavo/model.hpp"
#include "registry.hpp"

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
  /// For what takes long on the calling thread and does not know the token.
  detail::CancelFlags flags() const noexcept {
    return {detail::cancel_flags.scope, flag_ != nullptr ? flag_ : detail::cancel_flags.job};
  }

 private:
  const std::atomic<bool>* flag_;
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

/// An opened model; immutable. Opened without data, it does the same over tensors without data: that is what a plan
/// records.
class RuntimeModel {
 public:
  /// Over a checkpoint that fits (require_structure).
  static std::unique_ptr<RuntimeModel> open(const Checkpoint& checkpoint, const FoundArchitecture& found,
                                            const ModelOptions& options, const OpenWatch& watch);
  /// From the headers alone, whatever they say: what does not fit is a broken contract of the run.
  static std::unique_ptr<RuntimeModel> open_without_data(const Checkpoint& checkpoint, const FoundArchitecture& found);

  std::int64_t vocab_size() const noexcept { return text().vocab_size; }
  std::int64_t max_position_embeddings() const noexcept { return text().max_position_embeddings; }
  std::int64_t num_layers() const noexcept { return static_cast<std::int64_t>(layers_.size()); }
  const TextConfig& text() const noexcept { return found_.architecture->text(); }
  const VisionTower* vision() const noexcept { return found_.architecture->vision(); }  ///< null: takes no pictures
  const std::string& model_type() const noexcept { return found_.model_type; }
  ImageLayout image_layout() const noexcept { return layout_; }
  std::int32_t image_token_id() const noexcept { return layout_.image_token_id; }  ///< -1 where it takes no pictures
  std::int64_t tokens_of(const Grid& grid) const noexcept { return layout_.tokens_of(grid); }
  std::size_t weight_bytes() const noexcept;
  std::size_t screen_bytes() const noexcept { return head_.screen_bytes(); }  ///< of the head; 0: none yet
  SequenceState new_state() const { return octavo::model::new_state(layout_); }
  KvCache new_cache(std::int64_t capacity, DType dtype = DType::f32) const;
  /// Ids in the vocabulary, pixel rows that fit their grids, as many pads as the grids need; throws invalid_argument.
  void check_input(const ModelInput& input) const;
  Tensor encode_images(const ModelInput& input, const CancelToken& cancel) const;
  /// Positions and mask of a sequence's ids behind what its state has committed.
  CallPlan plan(const SequenceCall& sequence) const { return plan_call(layout_, sequence); }
  /// As Model's of the same names.
  std::vector<LinearInfo> linears() const;
  const Linear& linear(std::string_view module_path) const;
  std::unique_ptr<RuntimeModel> with_linears(std::span<const Linear> replacements) const;
  /// Of a model without data: the first alone of the blocks whose weights have equal types and shapes, for plans.
  std::unique_ptr<RuntimeModel> with_distinct_blocks() const;
  /// Logits f32 [logit rows, vocab], sequence by sequence; undefined where none are wanted. States and caches advance
  /// together, and only on success: a call that throws leaves all of them as they were.
  Tensor run(const LanguageCall& call) const;

 private:
  RuntimeModel(WeightSource& weights, FoundArchitecture found, const ModelOptions& options);
  /// `take_stored`: of a model without data, the types and shapes of what was asked for since it was last called.
  void load_blocks(WeightSource& weights, const ModelOptions& options, OpenSteps& steps,
                   const std::function<std::string()>& take_stored = {});
  Tensor run_tower(const ModelInput& input, const CancelToken& cancel) const;
  Tensor run_language(const LanguageCall& call) const;
  Tensor run_layers(const LanguageCall& call) const;
  Tensor largest_logits(const Tensor& wanted, const LanguageCall& call) const;

  FoundArchitecture found_;
  ImageLayout layout_;
  std::shared_ptr<const PatchEmbedding> embedding_;  // and the merger: null without a tower
  std::shared_ptr<const PatchMerger> merger_;
  TokenEmbedding tokens_;
  LanguageHead head_;
  std::vector<std::shared_ptr<const VisionLayer>> blocks_;  // models made by with_linears share them
  std::vector<std::shared_ptr<const LanguageLayer>> layers_;
  // Of each, the types and shapes of what it asked for; empty where there are data.
  std::vector<std::string> stored_blocks_, stored_layers_;
};

}  // namespace octavo::model
