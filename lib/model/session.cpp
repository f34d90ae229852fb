#include "octavo/session.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "chunks.hpp"
#include "kept_images.hpp"
#include "session_impl.hpp"

namespace octavo {

namespace model {
namespace {

KvCache checked_cache(const RuntimeModel& runtime, std::int64_t capacity, DType dtype) {
  if (capacity < 1 || capacity > runtime.max_position_embeddings()) {
    throw Error(ErrorCode::invalid_argument, "session: capacity is " + std::to_string(capacity) +
                                                 ", it must lie in 1 .. max_position_embeddings = " +
                                                 std::to_string(runtime.max_position_embeddings()));
  }
  return runtime.new_cache(capacity, dtype);
}

void check_room(std::size_t fed, std::int64_t past, std::int64_t capacity) {
  if (static_cast<std::int64_t>(fed) > capacity - past)
    throw Error(ErrorCode::invalid_argument, "session: " + std::to_string(fed) + " tokens after " +
                                                 std::to_string(past) + " exceed its capacity of " +
                                                 std::to_string(capacity));
}

}  // namespace

std::vector<HeldPicture> pictures_of(const RuntimeModel& runtime, const ModelInput& input, std::int64_t past) {
  std::vector<HeldPicture> pictures;
  auto at = input.ids.begin();
  for (const PixelPatches& image : input.images) {
    at = std::find(at, input.ids.end(), runtime.image_token_id());
    const std::int64_t begin = past + (at - input.ids.begin());
    const std::int64_t tokens = runtime.tokens_of(image.grid);
    pictures.push_back({{begin, begin + tokens, digest_of(image)}, image.grid, {image.original, image.resized}});
    at += tokens;
  }
  return pictures;
}

}  // namespace model

Session::Impl::Impl(std::shared_ptr<const Model::Impl> opened, std::int64_t capacity, DType cache_dtype,
                    std::int64_t chunk)
    : model(std::move(opened)),
      state(model->runtime->new_state()),
      cache(model::checked_cache(*model->runtime, capacity, cache_dtype)),
      prefill_chunk(chunk) {
  tokens.reserve(static_cast<std::size_t>(capacity));
  logits.reserve(static_cast<std::size_t>(model->runtime->vocab_size()));
}

Session::Impl::Feeding Session::Impl::begin_feed(const ModelInput& input) {
  runtime().check_input(input);
  model::check_room(input.ids.size(), past(), cache.capacity());
  const std::int32_t pad = runtime().image_token_id();
  // A pad that the model uttered is text; in one call with the input's it would be taken for a picture's.
  if (std::find(tokens.begin() + state.past(), tokens.end(), pad) != tokens.end()) read();
  Feeding feeding;
  for (const PixelPatches& image : input.images) feeding.grids.push_back(image.grid);
  feeding.pictures = model::pictures_of(runtime(), input, past());
  feeding.call.state = &state;
  feeding.call.cache = &cache;
  feeding.call.ids = model::ids_over(input.ids);
  if (unread() > 0) {
    feeding.ids.assign(tokens.begin() + state.past(), tokens.end());
    feeding.ids.insert(feeding.ids.end(), input.ids.begin(), input.ids.end());
    feeding.call.ids = model::ids_over(feeding.ids);
  }
  feeding.call.grids = feeding.grids;
  feeding.call.vision = runtime().encode_images(input, model::CancelToken());
  pictures.reserve(pictures.size() + feeding.pictures.size());  // so that fed() can't fail
  return feeding;
}

void Session::Impl::fed(const ModelInput& input, Feeding& feeding, std::span<const float> last_logits) {
  tokens.insert(tokens.end(), input.ids.begin(), input.ids.end());
  std::move(feeding.pictures.begin(), feeding.pictures.end(), std::back_inserter(pictures));
  logits.assign(last_logits.begin(), last_logits.end());
}

void Session::Impl::truncate(std::int64_t to) {
  if (to < 0 || to > past())
    throw Error(ErrorCode::invalid_argument, "sequence: it holds " + std::to_string(past()) +
                                                 " tokens, it cannot be truncated to " + std::to_string(to));
  if (to == past()) return;
  if (to < state.past()) {
    state.truncate(to);  // throws first
    cache.truncate(to);
  }
  tokens.resize(static_cast<std::size_t>(to));
  std::erase_if(pictures, [&](const model::HeldPicture& picture) { return picture.place.end > to; });
  logits.clear();
}

void Session::Impl::unread_last() {
  if (tokens.empty()) throw Error(ErrorCode::invalid_argument, "session: it holds no token yet: feed it a prompt");
  if (!logits.empty() || unread() > 0) return;
  const std::int64_t last = past() - 1;
  if (state.boundary(last) != last)
    throw Error(
        ErrorCode::invalid_argument,
        "session: it ends behind an image, whose pixels it does not keep: feed what follows, or the image anew");
  state.truncate(last);
  cache.truncate(last);
}

void Session::Impl::read() {
  unread_last();
  if (unread() == 0) return;
  model::SequenceCall sequence;
  sequence.state = &state;
  sequence.cache = &cache;
  sequence.ids = model::ids_over(std::span(tokens).subspan(static_cast<std::size_t>(state.past())));
  sequence.generated_from = 0;
  model::LanguageCall call;
  call.sequences = {&sequence, 1};
  const Tensor last = runtime().run(call);
  logits.assign(last.values<float>().begin(), last.values<float>().end());
}

Session::Session(const Model& model, std::int64_t capacity, DType cache_dtype, std::int64_t prefill_chunk) {
  model::check_prefill_chunk(prefill_chunk);
  impl_ = std::make_shared<Impl>(model.impl_, capacity, cache_dtype, prefill_chunk);
}

Tensor Session::feed(const ModelInput& input) {
  const MemoryPoolScope scope(impl_->pool);
  Impl::Feeding feeding = impl_->begin_feed(input);
  model::LanguageCall call;
  call.sequences = {&feeding.call, 1};
  const Tensor logits = model::run_in_chunks(impl_->runtime(), call, impl_->prefill_chunk);
  impl_->fed(input, feeding, logits.values<float>());
  return logits.reshape(Shape{impl_->runtime().vocab_size()});
}

Tensor Session::feed(std::span<Session* const> sessions, std::span<const ModelInput> inputs) {
  if (sessions.empty() || sessions.size() != inputs.size()) {
    throw Error(ErrorCode::invalid_argument, "session: " + std::to_string(sessions.size()) + " sessions and " +
                                                 std::to_string(inputs.size()) +
                                                 " inputs were given: give one input for each of at least one session");
  }
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const std::string name = "session " + std::to_string(i);
    if (sessions[i] == nullptr) throw Error(ErrorCode::invalid_argument, name + " is null");
    if (sessions[i]->impl_->model != sessions[0]->impl_->model)
      throw Error(ErrorCode::invalid_argument, name + " belongs to another model than session 0");
    for (std::size_t j = 0; j < i; ++j)
      if (sessions[j]->impl_ == sessions[i]->impl_)
        throw Error(ErrorCode::invalid_argument,
                    name + " is session " + std::to_string(j) + " again: fork() it to go on in two ways");
  }
  const MemoryPoolScope scope(sessions[0]->impl_->pool);
  std::vector<Impl::Feeding> feedings;
  std::vector<model::SequenceCall> sequences;
  for (std::size_t i = 0; i < sessions.size(); ++i)
    in_context("session " + std::to_string(i), [&] {
      feedings.push_back(sessions[i]->impl_->begin_feed(inputs[i]));
      sequences.push_back(feedings.back().call);
    });
  model::LanguageCall call;
  call.sequences = sequences;
  const Tensor logits = model::run_in_chunks(sessions[0]->impl_->runtime(), call, sessions[0]->impl_->prefill_chunk);
  for (std::size_t i = 0; i < sessions.size(); ++i)
    sessions[i]->impl_->fed(inputs[i], feedings[i], logits.select(0, static_cast<std::int64_t>(i)).values<float>());
  return logits;
}

Session::Continued Session::continue_with(const ModelInput& whole) {
  Impl& impl = *impl_;
  impl.runtime().check_input(whole);
  model::check_room(whole.ids.size(), 0, impl.cache.capacity());
  const auto key_of = [](std::span<const std::int32_t> ids, const std::vector<model::HeldPicture>& pictures) {
    model::PromptKey key;
    key.ids.assign(ids.begin(), ids.end());
    for (const model::HeldPicture& picture : pictures) key.images.push_back(picture.place);
    return key;
  };
  const model::PromptKey wanted = key_of(whole.ids, model::pictures_of(impl.runtime(), whole, 0));
  const model::PromptKey held = key_of(impl.tokens, impl.pictures);
  const auto count = static_cast<std::int64_t>(whole.ids.size());
  std::int64_t common = model::common_tokens(wanted, held, count);
  // Of a beginning of what is held, the last token's logits are to be computed.
  if (common == count && (common < impl.past() || (impl.logits.empty() && impl.unread() == 0)))
    common = model::common_tokens(wanted, held, count - 1);
  truncate(common);
  Continued continued;
  continued.reused_tokens = std::min(common, impl.state.past());
  if (common == count) {
    continued.logits = logits();
    return continued;
  }
  ModelInput rest;
  rest.ids.assign(whole.ids.begin() + common, whole.ids.end());
  rest.images.assign(whole.images.begin() + static_cast<std::ptrdiff_t>(impl.pictures.size()), whole.images.end());
  continued.logits = feed(rest);
  return continued;
}

Tensor Session::logits() {
  const MemoryPoolScope scope(impl_->pool);
  impl_->read();
  return Tensor::from<float>(impl_->logits, Shape{impl_->runtime().vocab_size()});
}

std::int64_t Session::past() const noexcept { return impl_->past(); }

std::int64_t Session::capacity() const noexcept { return impl_->cache.capacity(); }

std::span<const std::int32_t> Session::tokens() const noexcept { return impl_->tokens; }

std::size_t Session::activation_bytes() const noexcept { return impl_->pool.taken_bytes(); }

Session Session::fork() const {
  auto copy = std::make_shared<Impl>(impl_->model, impl_->cache.capacity(), impl_->cache.dtype(), impl_->prefill_chunk);
  copy->state = impl_->state;
  copy->cache.append_copy(impl_->cache, 0, impl_->cache.length());
  copy->tokens.assign(impl_->tokens.begin(), impl_->tokens.end());
  copy->pictures = impl_->pictures;
  copy->logits.assign(impl_->logits.begin(), impl_->logits.end());
  return Session(std::move(copy));
}

void Session::truncate(std::int64_t past) { impl_->truncate(past); }

void Session::reset() { truncate(0); }

}  // namespace octavo
