#include "sequence.hpp"

#include <algorithm>

#include "prompt_lookup.hpp"
#include "stopwatch.hpp"

namespace octavo::model {

void check_options(const GenerateOptions& options) {
  check_prefill_chunk(options.prefill_chunk);
  if (options.lookup) check_lookup(*options.lookup);
  if (options.lookup && !options.use_cache)
    throw Error(ErrorCode::invalid_argument,
                "generate: lookup checks tokens on a cache, and use_cache is off: leave one of them out");
  // A text that is told as it grows would have boxes in other pixels than the one that is returned.
  if (options.boxes == BoxSpace::original && (options.on_token || options.on_event))
    throw Error(ErrorCode::invalid_argument,
                "generate: boxes are moved to the picture's own pixels when the answer is complete; leave on_token and "
                "on_event empty");
  if (options.on_token && options.on_event)
    throw Error(ErrorCode::invalid_argument, "generate: on_token and on_event are the same call: set one of them");
}

namespace {

const ModelInput& checked(const Model::Impl& model, const ModelInput& input) {
  model.runtime->check_input(input);
  return input;
}

}  // namespace

Sequence::Sequence(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t index)
    : answer(model, checked(model, input), options, index, model.runtime->max_position_embeddings()),
      model_(model),
      runtime_(*model.runtime),
      options_(options),
      cancel_(options.cancel),
      index_(index),
      text_from_(input.ids.size()) {
  for (const PixelPatches& image : input.images) grids_.push_back(image.grid);
}

Sequence::Sequence(const Model::Impl& model, const ModelInput& prompt, const GenerateOptions& options,
                   SequenceState& state, KvCache& cache)
    : answer(model, prompt, options, 0, cache.capacity()),
      model_(model),
      runtime_(*model.runtime),
      options_(options),
      cancel_(options.cancel),
      index_(0),
      text_from_(0),
      state_(&state),
      cache_(&cache) {}

void Sequence::begin() {
  const Stopwatch watch;
  if (options_.prefix_cache) reuse_.emplace(*options_.prefix_cache, model_, answer.prompt(), options_.cache_dtype);
  SequenceState state = runtime_.new_state();
  if (options_.use_cache) {
    own_cache_.emplace(runtime_.new_cache(static_cast<std::int64_t>(answer.prompt().ids.size()) + answer.limit(),
                                          options_.cache_dtype));
    if (reuse_) answer.result.reused_tokens = reuse_->restore(state, *own_cache_);
  }
  vision_ = reuse_ ? reuse_->image_rows(cancel_) : runtime_.encode_images(answer.prompt(), cancel_);
  own_state_.emplace(std::move(state));
  state_ = &*own_state_;
  if (own_cache_) cache_ = &*own_cache_;
  answer.result.vision_seconds = watch.seconds();
  if (cache_ == nullptr) return;
  SequenceCall prompt;
  prompt.state = state_;
  prompt.cache = cache_;
  prompt.ids = ids_over(answer.ids().subspan(static_cast<std::size_t>(state_->past())));
  prompt.grids = std::span(grids_).subspan(reuse_ ? reuse_->restored_images() : 0);
  prompt.vision = vision_;
  reading_.emplace(runtime_, prompt);
}

SequenceCall Sequence::read(std::int64_t most_rows) {
  draft_.clear();
  SequenceCall call = reading_->next(std::min(most_rows, reading_->left()));
  answer.ask(call, draft_);
  return call;
}

SequenceCall Sequence::next_call(std::size_t most_draft) {
  if (cache_ == nullptr) state_->reset();  // no past by construction
  const auto past = static_cast<std::size_t>(state_->past());
  std::span<const std::int32_t> ids = answer.ids().subspan(past);
  SequenceCall call;
  call.state = state_;
  call.cache = cache_;
  call.generated_from = text_from_ > past ? text_from_ - past : 0;
  draft_.clear();
  if (cache_ == nullptr) {
    call.grids = grids_;
    call.vision = vision_;
  } else if (options_.lookup) {
    const auto left = static_cast<std::size_t>(answer.limit()) - answer.result.tokens.size() - 1;
    const auto wanted = static_cast<std::size_t>(options_.lookup->draft);
    look_up(answer.ids(), options_.lookup->ngram, std::min({most_draft, wanted, left, reach_}),
            runtime_.image_token_id(), draft_);
  }
  if (!draft_.empty()) {
    fed_.assign(ids.begin(), ids.end());
    fed_.insert(fed_.end(), draft_.begin(), draft_.end());
    ids = fed_;
    call.logit_rows += static_cast<std::int64_t>(draft_.size());
  }
  call.ids = ids_over(ids);
  answer.ask(call, draft_);
  return call;
}

bool Sequence::settle_prompt() {
  if (!reading_) return true;
  if (reading_->left() > 0) return false;
  reading_.reset();
  vision_ = {};  // fed, and not to be fed again
  return true;
}

void Sequence::settle(std::size_t accepted) {
  if (!draft_.empty()) reach_ = 2 * accepted + 1;
  if (answer.result.tokens.empty()) return;  // on_logits ended it at once
  // The answer's last token is not fed yet.
  const auto known = static_cast<std::int64_t>(answer.ids().size()) - 1;
  if (cache_ == nullptr || state_->past() <= known) return;
  state_->truncate(known);
  cache_->truncate(known);
}

double Sequence::tell(const Answer::Piece& piece) {
  if (!options_.on_token && !options_.on_event) return 0;
  const Stopwatch watch;
  const std::vector<TokenLogProbs>& log_probs = answer.result.log_probs;
  const bool go_on =
      options_.on_token
          ? options_.on_token(piece.id, piece.text)
          : options_.on_event({index_, piece.id, piece.text, log_probs.empty() ? nullptr : &log_probs.back()});
  if (!go_on) answer.cancel();
  return watch.seconds();
}

void Sequence::cancel() {
  if (!finished()) answer.cancel();
}

void Sequence::end() {
  if (reuse_ && begun() && cache_ != nullptr && !failure) reuse_->keep(answer.ids(), *state_, *cache_);
  reading_.reset();
  vision_ = {};
  cache_ = nullptr;
  own_cache_.reset();
}

}  // namespace octavo::model
