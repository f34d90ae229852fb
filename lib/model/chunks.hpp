// A call in parts, so that its activations take no more memory for a long prompt than for a short one, and that others
// may go on meanwhile.
#pragma once

#include <cstdint>

#include "runtime_model.hpp"

namespace octavo::model {

/// Throws invalid_argument unless it is 0 (no parts) or positive.
void check_prefill_chunk(std::int64_t chunk);

/// One sequence's call on a cache, to be run part by part. Positions are planned for the whole first, so that a part
/// may end anywhere, inside an image, too. How far it has come, its state alone knows: a part that was not run, or
/// whose run failed, is the next one again.
class PartedCall {
 public:
  /// What `whole` refers to must outlive it.
  PartedCall(const RuntimeModel& runtime, const SequenceCall& whole);
  std::int64_t left() const noexcept { return plan_.kv_len - whole_.state->past(); }  ///< rows
  /// The next `rows` of them, 1 .. left(); valid until the next.
  SequenceCall next(std::int64_t rows);
  /// Forgets the parts that were run.
  void undo() const;

 private:
  SequenceCall whole_;
  CallPlan plan_, part_;
};

/// As RuntimeModel::run, in calls of at most `chunk` rows, each sequence's rows in order and the sequences one behind
/// the other. 0: one call; so is a call of a sequence without cache, whose rows must all be there at once.
///
/// A call that throws, in whatever part, leaves states and caches as they were.
Tensor run_in_chunks(const RuntimeModel& runtime, const LanguageCall& call, std::int64_t chunk);

}  // namespace octavo::model
