// Steps of sequences that run together: the one place where answers get their tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sequence.hpp"

namespace octavo::model {

class Steps {
 public:
  explicit Steps(const RuntimeModel& runtime) : runtime_(runtime) {}

  /// One call for `sequences`, which have begun and are not finished. Those that read their prompts read at most
  /// `prompt_rows` rows of them together, in order; 0: all. Each that is through with its prompt gets a token, and as
  /// many of its drafts as it would have chosen; what goes wrong with that is its failure, and stops no other.
  /// @throws  what the call throws; all are then as before.
  void run(std::span<Sequence* const> sequences, std::int64_t prompt_rows, const CancelToken& cancel);
  /// The tokens that the rows of `logits` from `row` on choose; each draft's row counts if the draft was chosen.
  void take(Sequence& sequence, const Tensor& logits, std::int64_t row);

 private:
  struct Member {
    Sequence* sequence;
    bool before_answer;  // it had no token yet
  };
  const RuntimeModel& runtime_;
  std::vector<Member> part_;  // that are in the call
  std::vector<SequenceCall> calls_;
  double callback_seconds_ = 0;  // of the step
};

/// Moves an answer's boxes to the pixels that were asked for, and lists them.
void place_boxes(GenerateResult& result, const GenerateOptions& options);

}  // namespace octavo::model
