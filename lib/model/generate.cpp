// Prefill, then one token per sequence and step; or, without a cache, everything again every step. Both give the same
// tokens. One sequence is a batch of one; what has finished leaves the batch.
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "answer.hpp"
#include "octavo/memory_pool.hpp"

namespace octavo {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

using Tell = std::function<bool(std::size_t sequence, std::int32_t id, std::string_view text)>;

/// One of a batch. Its SequenceState is the only source of positions, mask and cache length.
struct Sequence {
  Sequence(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t at)
      : index(at), answer(model, input, options) {
    for (const PixelPatches& image : input.images) grids.push_back(image.grid);
  }

  std::size_t index;
  model::Answer answer;
  std::vector<Grid> grids;
  Tensor vision;  // as long as the images are to be fed
  std::optional<SequenceState> state;
  std::optional<KvCache> cache;
};

class Generation {
  template <class Job>
  decltype(auto) about(std::size_t index, Job&& job) const {
    if (!named_) return std::forward<Job>(job)();
    return in_context("sequence " + std::to_string(index), std::forward<Job>(job));
  }

 public:
  /// @param named  Errors say which sequence they are about.
  Generation(const Model::Impl& model, std::span<const ModelInput> inputs, const GenerateOptions& options, Tell tell,
             bool named)
      : architecture_(*model.architecture),
        options_(options),
        cancel_(options.cancel),
        tell_(std::move(tell)),
        named_(named) {
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
        if (!sequence.answer.finished()) sequence.answer.cancel();
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
    for (Sequence* sequence : running) look(*sequence);
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

  void look(Sequence& sequence) const {
    const Stopwatch watch;
    sequence.vision =
        about(sequence.index, [&] { return architecture_.encode_images(sequence.answer.prompt(), cancel_); });
    sequence.answer.result.vision_seconds = watch.seconds();
  }

  /// One more token for each.
  void step(const std::vector<Sequence*>& running, bool first) {
    cancel_.check();
    const Stopwatch watch;
    const Tensor logits = next_logits(running);
    std::vector<model::Answer::Piece> pieces;
    for (std::size_t i = 0; i < running.size(); ++i) {
      const auto row = logits.select(0, static_cast<std::int64_t>(i)).values<float>();
      pieces.push_back(about(running[i]->index, [&] { return running[i]->answer.take(row); }));
    }
    const double seconds = watch.seconds();
    for (std::size_t i = 0; i < running.size(); ++i) {
      Sequence& sequence = *running[i];
      GenerateResult& result = sequence.answer.result;
      (first ? result.prefill_seconds : result.decode_seconds) += seconds;
      if (tell_ && !tell_(sequence.index, pieces[i].id, pieces[i].text)) sequence.answer.cancel();
      if (sequence.cache) sequence.vision = {};  // fed, and not to be fed again
      if (sequence.answer.finished()) sequence.cache.reset();
    }
  }

  Tensor next_logits(const std::vector<Sequence*>& running) const {
    std::vector<model::SequenceCall> calls;
    for (Sequence* sequence : running) calls.push_back(next_call(*sequence));
    model::LanguageCall call;
    call.sequences = calls;
    call.cancel = cancel_;
    return architecture_.run(call);
  }

  model::SequenceCall next_call(Sequence& sequence) const {
    const model::Answer& answer = sequence.answer;
    model::SequenceCall call;
    const bool decode = sequence.cache.has_value();
    if (decode) {
      call.ids =
          model::ids_over(answer.ids().subspan(static_cast<std::size_t>(sequence.state->past())));  // uncached ones
      call.generated_from = 0;
    } else {
      sequence.state.emplace(architecture_.new_state());  // no past by construction
      if (options_.use_cache)
        sequence.cache.emplace(architecture_.new_cache(
            static_cast<std::int64_t>(answer.prompt().ids.size()) + answer.limit(), options_.cache_dtype));
      call.ids = model::ids_over(answer.ids());
      call.generated_from = answer.prompt().ids.size();
      call.grids = sequence.grids;
      call.vision = sequence.vision;
    }
    call.state = &*sequence.state;
    call.cache = sequence.cache ? &*sequence.cache : nullptr;
    return call;
  }

  const model::Architecture& architecture_;
  const GenerateOptions& options_;
  model::CancelToken cancel_;
  Tell tell_;
  bool named_;
  std::deque<Sequence> sequences_;  // which stay where they are
};

/// A text that is told as it grows would have boxes in other pixels than the one that is returned.
void refuse_early_boxes(const GenerateOptions& options) {
  if (options.boxes == BoxSpace::original && (options.on_token || options.on_batch_token))
    throw Error(ErrorCode::invalid_argument,
                "generate: boxes are moved to the picture's own pixels when the answer is complete; leave on_token and "
                "on_batch_token empty");
}

}  // namespace

GenerateResult Model::generate(const ModelInput& input, const GenerateOptions& options) const {
  if (options.on_batch_token)
    throw Error(ErrorCode::invalid_argument, "generate: on_batch_token is for a batch; on_token hears of one sequence");
  refuse_early_boxes(options);
  Tell tell;
  if (options.on_token)
    tell = [&](std::size_t, std::int32_t id, std::string_view text) { return options.on_token(id, text); };
  return std::move(Generation(*impl_, {&input, 1}, options, std::move(tell), false).run().front());
}

std::vector<GenerateResult> Model::generate(std::span<const ModelInput> inputs, const GenerateOptions& options) const {
  if (inputs.empty())
    throw Error(ErrorCode::invalid_argument, "generate: the batch is empty: give at least one prompt");
  if (options.on_token)
    throw Error(ErrorCode::invalid_argument,
                "generate: on_token does not tell the sequences of a batch apart: set on_batch_token instead");
  refuse_early_boxes(options);
  return Generation(*impl_, inputs, options, options.on_batch_token, true).run();
}

}  // namespace octavo
