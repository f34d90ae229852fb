#include "steps.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "stopwatch.hpp"

namespace octavo::model {

void Steps::run(std::span<Sequence* const> sequences, std::int64_t prompt_rows, const CancelToken& cancel) {
  cancel.check();
  const Stopwatch watch;
  callback_seconds_ = 0;
  const std::size_t together = PromptLookup::kMostDraft + 1;  // rows
  const std::size_t most_draft = std::max(together / sequences.size(), std::size_t{1}) - 1;
  std::int64_t room = prompt_rows == 0 ? std::numeric_limits<std::int64_t>::max() : prompt_rows;
  part_.clear();
  calls_.clear();
  for (Sequence* sequence : sequences) {
    if (sequence->reading() && room == 0) continue;
    part_.push_back({sequence, sequence->answer.result.tokens.empty()});
    if (sequence->reading()) {
      calls_.push_back(sequence->read(room));
      room -= calls_.back().ids.dim(0);
    } else {
      calls_.push_back(sequence->next_call(most_draft));
    }
  }
  LanguageCall call;
  call.sequences = calls_;
  call.cancel = cancel;
  const Tensor logits = runtime_.run(call);
  std::int64_t row = 0;
  for (std::size_t i = 0; i < part_.size(); ++i) {
    if (part_[i].sequence->settle_prompt()) take(*part_[i].sequence, logits, row);
    row += calls_[i].logit_rows;
  }
  const double seconds = watch.seconds() - callback_seconds_;
  for (const Member& member : part_) {
    GenerateResult& result = member.sequence->answer.result;
    (member.before_answer ? result.prefill_seconds : result.decode_seconds) += seconds;
  }
}

void Steps::take(Sequence& sequence, const Tensor& logits, std::int64_t row) try {
  const std::span<const std::int32_t> draft = sequence.draft();
  GenerateResult& result = sequence.answer.result;
  result.drafted_tokens += static_cast<std::int64_t>(draft.size());
  std::size_t accepted = 0;
  for (std::size_t i = 0;; ++i, ++row) {
    const std::optional<Answer::Piece> piece = sequence.answer.take(logits.select(0, row).values<float>());
    if (!piece) break;
    if (i < draft.size() && piece->id == draft[i]) ++accepted;
    callback_seconds_ += sequence.tell(*piece);
    // Whoever cancels gets what he would have got token by token.
    if (sequence.finished() || sequence.cancel_token().requested() || i == draft.size() || piece->id != draft[i]) break;
  }
  result.accepted_tokens += static_cast<std::int64_t>(accepted);
  sequence.settle(accepted);
} catch (...) {
  sequence.failure = std::current_exception();
}

void place_boxes(GenerateResult& result, const GenerateOptions& options) {
  const std::optional<PictureSize> scale =
      options.boxes == BoxSpace::original ? common_scale(result.pictures) : std::nullopt;
  if (scale) result.text = boxes_to_original(result.text, *scale);
  result.boxes = boxes_in(result.text);
}

}  // namespace octavo::model
