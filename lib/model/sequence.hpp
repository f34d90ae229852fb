// One sequence of a generation: what it feeds next, what it has cached, and whom its tokens are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <vector>

#include "answer.hpp"
#include "chunks.hpp"
#include "prompt_reuse.hpp"

namespace octavo::model {

/// Throws invalid_argument for options that no prompt could be run with.
void check_options(const GenerateOptions& options);

/// Its SequenceState is the only source of positions, mask and cache length.
class Sequence {
 public:
  /// Checks the prompt. The options (see check_options), input and model must outlive it.
  /// @param index  What callbacks that hear of several sequences know it by.
  Sequence(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t index);
  /// One that has begun: goes on from `state` and `cache`, which must outlive it, too, and hold the prompt's tokens but
  /// those at its end that are still to be run, none of them an image's. Of the prompt's images, the sizes alone are
  /// read.
  Sequence(const Model::Impl& model, const ModelInput& prompt, const GenerateOptions& options, SequenceState& state,
           KvCache& cache);
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  Answer answer;
  std::exception_ptr failure;  ///< of its next token, which it did not get; set by Steps
  bool finished() const noexcept { return answer.finished() || failure; }
  const CancelToken& cancel_token() const noexcept { return cancel_; }
  /// Whether it is this sequence's caller who ended what failed so.
  bool cancelled_by(const Error& error) const noexcept {
    return error.code() == ErrorCode::cancelled && cancel_.requested();
  }

  /// Before the first call: takes what is kept of the prompt, and encodes the images of the rest.
  void begin();
  bool begun() const noexcept { return state_ != nullptr; }
  /// Has begun, and not yet read all of its prompt. Without a cache all is read in every call, and this is false.
  bool reading() const noexcept { return reading_.has_value(); }
  /// At most `most_rows` more of the prompt; logits are wanted of its last token. Valid until the next.
  SequenceCall read(std::int64_t most_rows);
  /// The ids that are not cached, and behind them at most `most_draft` that the answer may hold next; logits are wanted
  /// of the last token and of each draft. Valid until the next.
  SequenceCall next_call(std::size_t most_draft);
  std::span<const std::int32_t> draft() const noexcept { return draft_; }  ///< of the last call
  /// After a call: whether the prompt is read, so that there are logits.
  bool settle_prompt();
  /// After the answer took tokens from the call's logits, `accepted` of its drafts among them: forgets the others.
  void settle(std::size_t accepted);
  /// Tells the caller, who may end it; returns the seconds that he took.
  double tell(const Answer::Piece& piece);
  /// Ends the answer where it is.
  void cancel();
  /// Once it is finished: keeps what others may reuse, and lets go of the cache.
  void end();

 private:
  const Model::Impl& model_;
  const RuntimeModel& runtime_;
  const GenerateOptions& options_;
  CancelToken cancel_;
  std::size_t index_;
  std::vector<Grid> grids_;
  std::optional<PromptReuse> reuse_;
  Tensor vision_;          // of the images that are to be fed
  std::size_t text_from_;  // tokens from here on are text, even when they spell an image pad
  std::optional<SequenceState> own_state_;
  std::optional<KvCache> own_cache_;
  SequenceState* state_ = nullptr;
  KvCache* cache_ = nullptr;
  std::optional<PartedCall> reading_;
  std::vector<std::int32_t> draft_, fed_;  // fed_: the call's ids, where some are drafts
  std::size_t reach_ = 3;                  // most drafts of the next call: more after good ones, one after bad ones
};

}  // namespace octavo::model
