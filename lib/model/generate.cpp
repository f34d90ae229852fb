// Prefill, then one token per sequence and step; or, without a cache, everything again every step. Both give the same
// tokens. One sequence is a batch of one; what has finished leaves the batch.
#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "chunks.hpp"
#include "octavo/memory_pool.hpp"
#include "prompt_lookup.hpp"
#include "sequence.hpp"

namespace octavo {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

using model::Sequence;

class Generation {
  template <class Job>
  decltype(auto) about(std::size_t index, Job&& job) const {
    if (!named_) return std::forward<Job>(job)();
    return in_context("sequence " + std::to_string(index), std::forward<Job>(job));
  }

 public:
  /// @param named  Errors say which sequence they are about.
  Generation(const Model::Impl& model, std::span<const ModelInput> inputs, const GenerateOptions& options, bool named)
      : architecture_(*model.architecture), options_(options), cancel_(options.cancel), named_(named) {
    model::check_prefill_chunk(options.prefill_chunk);
    if (options.lookup) model::check_lookup(*options.lookup);
    if (options.lookup && !options.use_cache)
      throw Error(ErrorCode::invalid_argument,
                  "generate: lookup checks tokens on a cache, and use_cache is off: leave one of them out");
    for (std::size_t i = 0; i < inputs.size(); ++i)
      about(i, [&] { sequences_.emplace_back(model, inputs[i], options, i); });
  }

  std::vector<GenerateResult> run() {
    const MemoryPool pool;  // every step takes the memory that the step before has let go
    const MemoryPoolScope scope(pool);
    try {
      steps();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled || !cancel_.requested()) throw;
      for (Sequence& sequence : sequences_)
        if (!sequence.answer.finished()) {
          sequence.answer.cancel();
          sequence.end();
        }
    }
    std::vector<GenerateResult> results;
    for (Sequence& sequence : sequences_) {
      place_boxes(sequence.answer.result);
      results.push_back(std::move(sequence.answer.result));
    }
    return results;
  }

 private:
  void steps() {
    std::vector<Sequence*> running;
    for (Sequence& sequence : sequences_)
      if (!sequence.answer.finished()) running.push_back(&sequence);
    for (Sequence* sequence : running) {
      const Stopwatch watch;
      about(sequence->index, [&] { sequence->begin(cancel_); });
      sequence->answer.result.vision_seconds = watch.seconds();
    }
    for (bool first = true; !running.empty(); first = false) {
      step(running, first);
      std::erase_if(running, [](const Sequence* sequence) { return sequence->answer.finished(); });
    }
  }

  void place_boxes(GenerateResult& result) const {
    const std::optional<PictureSize> scale =
        options_.boxes == BoxSpace::original ? common_scale(result.pictures) : std::nullopt;
    if (scale) result.text = boxes_to_original(result.text, *scale);
    result.boxes = boxes_in(result.text);
  }

  /// One more token for each, and as many of its drafts as it would have chosen.
  void step(const std::vector<Sequence*>& running, bool first) {
    cancel_.check();
    const Stopwatch watch;
    callback_seconds_ = 0;
    const Tensor logits = next_logits(running);
    std::int64_t row = 0;
    for (Sequence* sequence : running) {
      about(sequence->index, [&] { take(*sequence, logits, row); });
      row += 1 + static_cast<std::int64_t>(sequence->draft().size());
    }
    const double seconds = watch.seconds() - callback_seconds_;
    for (Sequence* sequence : running) {
      (first ? sequence->answer.result.prefill_seconds : sequence->answer.result.decode_seconds) += seconds;
      if (sequence->answer.finished()) sequence->end();
    }
  }

  Tensor next_logits(const std::vector<Sequence*>& running) {
    const std::size_t together = PromptLookup::kMostDraft + 1;  // rows
    const std::size_t most_draft = std::max(together / running.size(), std::size_t{1}) - 1;
    calls_.clear();
    for (Sequence* sequence : running) calls_.push_back(sequence->next_call(most_draft));
    model::LanguageCall call;
    call.sequences = calls_;
    call.cancel = cancel_;
    return model::run_in_chunks(architecture_, call, options_.prefill_chunk);
  }

  /// The tokens that the rows of `logits` from `row` on choose; each draft's row counts if the draft was chosen.
  void take(Sequence& sequence, const Tensor& logits, std::int64_t row) {
    const std::span<const std::int32_t> draft = sequence.draft();
    GenerateResult& result = sequence.answer.result;
    result.drafted_tokens += static_cast<std::int64_t>(draft.size());
    std::size_t accepted = 0;
    for (std::size_t i = 0;; ++i, ++row) {
      const std::optional<model::Answer::Piece> piece = sequence.answer.take(logits.select(0, row).values<float>());
      if (!piece) break;
      if (i < draft.size() && piece->id == draft[i]) ++accepted;
      tell(sequence, *piece);
      // Whoever cancels gets what he would have got token by token.
      if (sequence.answer.finished() || cancel_.requested() || i == draft.size() || piece->id != draft[i]) break;
    }
    result.accepted_tokens += static_cast<std::int64_t>(accepted);
    sequence.settle(accepted);
  }

  void tell(Sequence& sequence, const model::Answer::Piece& piece) {
    if (!options_.on_token && !options_.on_event) return;
    const Stopwatch watch;
    const std::vector<TokenLogProbs>& log_probs = sequence.answer.result.log_probs;
    const bool go_on = options_.on_token ? options_.on_token(piece.id, piece.text)
                                         : options_.on_event({sequence.index, piece.id, piece.text,
                                                              log_probs.empty() ? nullptr : &log_probs.back()});
    callback_seconds_ += watch.seconds();
    if (!go_on) sequence.answer.cancel();
  }

  const model::Architecture& architecture_;
  const GenerateOptions& options_;
  model::CancelToken cancel_;
  bool named_;
  std::deque<Sequence> sequences_;  // which stay where they are
  std::vector<model::SequenceCall> calls_;
  double callback_seconds_ = 0;  // of the step
};

/// A text that is told as it grows would have boxes in other pixels than the one that is returned.
void refuse_early_boxes(const GenerateOptions& options) {
  if (options.boxes == BoxSpace::original && (options.on_token || options.on_event))
    throw Error(ErrorCode::invalid_argument,
                "generate: boxes are moved to the picture's own pixels when the answer is complete; leave on_token and "
                "on_event empty");
}

}  // namespace

GenerateResult Model::generate(const ModelInput& input, const GenerateOptions& options) const {
  if (options.on_token && options.on_event)
    throw Error(ErrorCode::invalid_argument, "generate: on_token and on_event are the same call: set one of them");
  refuse_early_boxes(options);
  return std::move(Generation(*impl_, {&input, 1}, options, false).run().front());
}

std::vector<GenerateResult> Model::generate(std::span<const ModelInput> inputs, const GenerateOptions& options) const {
  if (inputs.empty())
    throw Error(ErrorCode::invalid_argument, "generate: the batch is empty: give at least one prompt");
  if (options.on_token)
    throw Error(ErrorCode::invalid_argument,
                "generate: on_token does not tell the sequences of a batch apart: set on_event instead");
  refuse_early_boxes(options);
  return Generation(*impl_, inputs, options, true).run();
}

}  // namespace octavo
