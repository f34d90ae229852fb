/// @file
/// A batch that runs on while sequences join and leave it: what a server needs.
///
///     RunningBatch batch(model);
///     batch.join(model.prepare("What is this?", {&image, 1}), options);   // options.on_token streams its answer
///     while (batch.size() > 0) {
///       for (RunningBatch::Finished& finished : batch.step()) answer(finished.id, finished.result);
///       // others may join and leave here, at any time
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "octavo/error.hpp"
#include "octavo/model.hpp"

namespace octavo {

struct RunningBatchOptions {
  /// That run at once, >= 1; more wait for their turn, in the order in which they joined. Each has a cache for its
  /// prompt and max_new_tokens. Up to 8 rows, a product gives each row the bits that it has alone.
  std::int64_t max_sequences = 8;
  /// Tokens of prompts that one step reads at most, >= 1, all sequences together: those that decode wait for no more
  /// than these. Takes the place of GenerateOptions::prefill_chunk.
  std::int64_t prompt_tokens = 256;
};

/// Sequences that are generated together, each from when it joins to when it finishes or leaves. The rows of all go
/// through the products together, so that each weight is read once per step; positions, cache and attention are each
/// sequence's own, and nothing is padded. A sequence's tokens are those that Model::generate gives it alone with the
/// same options, except where two logits tie within float rounding: they depend neither on the others nor on when it
/// joined.
///
/// Threads: one at a time. Distinct batches are independent, and may share a model and a prefix cache.
class RunningBatch {
 public:
  using Id = std::uint64_t;  ///< of a sequence; never given twice by one batch

  struct Finished {
    Id id = 0;
    GenerateResult result;       ///< with an error: what there was until then
    std::optional<Error> error;  ///< that ended this sequence, and no other
  };

  /// @throws Error  invalid_argument: options out of their domain.
  explicit RunningBatch(const Model& model, const RunningBatchOptions& options = {});
  ~RunningBatch();
  RunningBatch(RunningBatch&& other) noexcept;
  RunningBatch& operator=(RunningBatch&& other) noexcept;

  /// From the next step on. Its callbacks are called by step(); those that tell sequences apart (on_event) get the Id.
  /// options.cancel, when set, is looked at before every step, and before every layer where the sequence runs alone:
  /// the sequence then finishes as cancelled, with what it has. An on_token that throws ends its sequence with the
  /// error `cancelled`.
  /// @throws Error  invalid_argument, as Model::generate; or when called by a callback of step().
  Id join(ModelInput input, GenerateOptions options = {});
  /// Ends a sequence without a result; what it has read, the prefix cache keeps.
  /// @throws Error  not_found: of no sequence that is in the batch; invalid_argument: called by a callback of step().
  void leave(Id id);
  /// Each sequence that has read its prompt gets a token, and with lookup as many more as were guessed right; the
  /// others read on, in the order in which they joined. At most one looks at its pictures in a step. Returns those that
  /// finished, which are no longer in the batch; a step of an empty batch does nothing.
  /// @throws Error  cancelled: by the thread's CancelScope (cancel.hpp). All sequences are as before the step, and go
  /// on
  ///                with the next; where they had to be run one by one, some are a token further.
  std::vector<Finished> step();
  std::size_t size() const noexcept;     ///< sequences that joined and have not finished or left
  std::size_t waiting() const noexcept;  ///< of them, those that have not begun

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
