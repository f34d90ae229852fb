#include "octavo/session.hpp"

#include <string>
#include <vector>

#include "chunks.hpp"
#include "model_impl.hpp"
#include "octavo/memory_pool.hpp"

namespace octavo {

struct Session::Impl {
  std::shared_ptr<const Model::Impl> model;
  SequenceState state;
  KvCache cache;
  std::int64_t prefill_chunk;
  std::vector<std::int32_t> tokens{};  // that the cache holds
  MemoryPool pool{};                   // of its calls' tensors

  /// Checks the input and encodes its images; `grids` keeps theirs while the call lasts.
  model::SequenceCall next_call(const ModelInput& input, std::vector<Grid>& grids);
  void fed(const ModelInput& input) { tokens.insert(tokens.end(), input.ids.begin(), input.ids.end()); }
};

Session::Session(const Model& model, std::int64_t capacity, DType cache_dtype, std::int64_t prefill_chunk) {
  model::check_prefill_chunk(prefill_chunk);
  const model::Architecture& architecture = *model.impl_->architecture;
  if (capacity < 1 || capacity > architecture.max_position_embeddings()) {
    throw Error(ErrorCode::invalid_argument, "session: capacity is " + std::to_string(capacity) +
                                                 ", it must lie in 1 .. max_position_embeddings = " +
                                                 std::to_string(architecture.max_position_embeddings()));
  }
  impl_ = std::make_shared<Impl>(
      Impl{model.impl_, architecture.new_state(), architecture.new_cache(capacity, cache_dtype), prefill_chunk});
  impl_->tokens.reserve(static_cast<std::size_t>(capacity));
}

model::SequenceCall Session::Impl::next_call(const ModelInput& input, std::vector<Grid>& grids) {
  const model::Architecture& architecture = *model->architecture;
  architecture.check_input(input);
  const std::int64_t past = state.past();
  const auto fed = static_cast<std::int64_t>(input.ids.size());
  if (fed > cache.capacity() - past) {
    throw Error(ErrorCode::invalid_argument, "session: " + std::to_string(fed) + " tokens after " +
                                                 std::to_string(past) + " exceed its capacity of " +
                                                 std::to_string(cache.capacity()));
  }
  for (const PixelPatches& image : input.images) grids.push_back(image.grid);
  model::SequenceCall call;
  call.state = &state;
  call.cache = &cache;
  call.ids = model::ids_over(input.ids);
  call.grids = grids;
  call.vision = architecture.encode_images(input, model::CancelToken());
  return call;
}

Tensor Session::feed(const ModelInput& input) {
  const MemoryPoolScope scope(impl_->pool);
  const model::Architecture& architecture = *impl_->model->architecture;
  std::vector<Grid> grids;
  const model::SequenceCall sequence = impl_->next_call(input, grids);
  model::LanguageCall call;
  call.sequences = {&sequence, 1};
  const Tensor logits = model::run_in_chunks(architecture, call, impl_->prefill_chunk);
  impl_->fed(input);
  return logits.reshape(Shape{architecture.vocab_size()});
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
  std::vector<std::vector<Grid>> grids(sessions.size());
  std::vector<model::SequenceCall> sequences;
  for (std::size_t i = 0; i < sessions.size(); ++i)
    in_context("session " + std::to_string(i),
               [&] { sequences.push_back(sessions[i]->impl_->next_call(inputs[i], grids[i])); });
  model::LanguageCall call;
  call.sequences = sequences;
  const Tensor logits =
      model::run_in_chunks(*sessions[0]->impl_->model->architecture, call, sessions[0]->impl_->prefill_chunk);
  for (std::size_t i = 0; i < sessions.size(); ++i) sessions[i]->impl_->fed(inputs[i]);
  return logits;
}

std::int64_t Session::past() const noexcept { return impl_->state.past(); }

std::span<const std::int32_t> Session::tokens() const noexcept { return impl_->tokens; }

std::size_t Session::activation_bytes() const noexcept { return impl_->pool.taken_bytes(); }

Session Session::fork() const {
  auto copy = std::make_shared<Impl>(Impl{impl_->model, impl_->state, impl_->cache.clone(), impl_->prefill_chunk});
  copy->tokens.reserve(static_cast<std::size_t>(impl_->cache.capacity()));
  copy->tokens = impl_->tokens;
  return Session(std::move(copy));
}

void Session::truncate(std::int64_t past) {
  impl_->state.truncate(past);  // throws first
  impl_->cache.truncate(past);
  impl_->tokens.resize(static_cast<std::size_t>(past));
}

void Session::reset() { truncate(0); }

}  // namespace octavo
