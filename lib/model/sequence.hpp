// One sequence of a generation: what it feeds next, and what it has cached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "answer.hpp"
#include "prompt_reuse.hpp"

namespace octavo::model {

/// Its SequenceState is the only source of positions, mask and cache length.
class Sequence {
 public:
  /// Checks the prompt and the options, which must outlive it, as must the model.
  Sequence(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t index);

  const std::size_t index;
  Answer answer;

  /// Before the first call: takes what is kept of the prompt, and encodes the images of the rest.
  void begin(const CancelToken& cancel);
  /// The ids that are not cached, and behind them at most `most_draft` that the answer may hold next; logits are wanted
  /// of the last token and of each draft. Valid until the next.
  SequenceCall next_call(std::size_t most_draft);
  std::span<const std::int32_t> draft() const noexcept { return draft_; }  ///< of the last call
  /// After the answer took tokens from the call's logits, `accepted` of its drafts among them: forgets the others.
  void settle(std::size_t accepted);
  /// Once the answer is finished: keeps what others may reuse, and lets go of the cache.
  void end();

 private:
  const Model::Impl& model_;
  const Architecture& architecture_;
  const GenerateOptions& options_;
  std::vector<Grid> grids_;
  std::optional<PromptReuse> reuse_;
  Tensor vision_;  // of the images that are to be fed
  std::optional<SequenceState> state_;
  std::optional<KvCache> cache_;
  std::vector<std::int32_t> draft_, fed_;  // fed_: the call's ids, where some are drafts
  std::size_t reach_ = 3;                  // most drafts of the next call: more after good ones, one after bad ones
};

}  // namespace octavo::model
