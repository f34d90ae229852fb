#include "sequence.hpp"

#include <algorithm>

#include "prompt_lookup.hpp"

namespace octavo::model {

Sequence::Sequence(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t at)
    : index(at),
      answer(model, input, options, at),
      model_(model),
      architecture_(*model.architecture),
      options_(options) {
  for (const PixelPatches& image : input.images) grids_.push_back(image.grid);
}

void Sequence::begin(const CancelToken& cancel) {
  if (options_.prefix_cache) reuse_.emplace(*options_.prefix_cache, model_, answer.prompt(), options_.cache_dtype);
  if (options_.use_cache) {
    state_.emplace(architecture_.new_state());
    cache_.emplace(architecture_.new_cache(static_cast<std::int64_t>(answer.prompt().ids.size()) + answer.limit(),
                                           options_.cache_dtype));
    if (reuse_) answer.result.reused_tokens = reuse_->restore(*state_, *cache_);
  }
  vision_ = reuse_ ? reuse_->image_rows(cancel) : architecture_.encode_images(answer.prompt(), cancel);
}

SequenceCall Sequence::next_call(std::size_t most_draft) {
  if (!cache_) state_.emplace(architecture_.new_state());  // no past by construction
  const auto past = static_cast<std::size_t>(state_->past());
  const std::size_t prompt = answer.prompt().ids.size();
  std::span<const std::int32_t> ids = answer.ids().subspan(past);
  SequenceCall call;
  call.state = &*state_;
  call.cache = cache_ ? &*cache_ : nullptr;
  call.generated_from = prompt > past ? prompt - past : 0;
  draft_.clear();
  if (past < prompt) {
    call.grids = std::span(grids_).subspan(reuse_ ? reuse_->restored_images() : 0);
    call.vision = vision_;
  } else {
    vision_ = {};  // fed, and not to be fed again
    if (options_.lookup) {
      const auto left = static_cast<std::size_t>(answer.limit()) - answer.result.tokens.size() - 1;
      const auto wanted = static_cast<std::size_t>(options_.lookup->draft);
      look_up(answer.ids(), options_.lookup->ngram, std::min({most_draft, wanted, left, reach_}),
              architecture_.image_token_id(), draft_);
    }
  }
  if (!draft_.empty()) {
    fed_.assign(ids.begin(), ids.end());
    fed_.insert(fed_.end(), draft_.begin(), draft_.end());
    ids = fed_;
    call.logit_rows += static_cast<std::int64_t>(draft_.size());
  }
  call.ids = ids_over(ids);
  return call;
}

void Sequence::settle(std::size_t accepted) {
  if (!draft_.empty()) reach_ = 2 * accepted + 1;
  // The answer's last token is not fed yet.
  const auto known = static_cast<std::int64_t>(answer.ids().size()) - 1;
  if (!cache_ || state_->past() <= known) return;
  state_->truncate(known);
  cache_->truncate(known);
}

void Sequence::end() {
  if (reuse_ && cache_) reuse_->keep(answer.ids(), *state_, *cache_);
  cache_.reset();
}

}  // namespace octavo::model
