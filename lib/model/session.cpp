#include <string>

#include "model_impl.hpp"

namespace octavo {

struct Session::Impl {
  std::shared_ptr<const Model::Impl> model;
  SequenceState state;
  KvCache cache;
};

Session::Session(const Model& model, std::int64_t capacity) {
  const model::Architecture& architecture = *model.impl_->architecture;
  if (capacity < 1 || capacity > architecture.max_position_embeddings()) {
    throw Error(ErrorCode::invalid_argument, "session: capacity is " + std::to_string(capacity) +
                                                 ", it must lie in 1 .. max_position_embeddings = " +
                                                 std::to_string(architecture.max_position_embeddings()));
  }
  impl_ = std::make_shared<Impl>(Impl{model.impl_, architecture.new_state(), architecture.new_cache(capacity)});
}

Tensor Session::feed(const ModelInput& input) {
  const model::Architecture& architecture = *impl_->model->architecture;
  architecture.check_input(input);
  const std::int64_t past = impl_->state.past();
  const auto fed = static_cast<std::int64_t>(input.ids.size());
  if (fed > impl_->cache.capacity() - past) {
    throw Error(ErrorCode::invalid_argument, "session: " + std::to_string(fed) + " tokens after " +
                                                 std::to_string(past) + " exceed its capacity of " +
                                                 std::to_string(impl_->cache.capacity()));
  }
  std::vector<Grid> grids;
  for (const PixelPatches& image : input.images) grids.push_back(image.grid);
  model::LanguageCall call;
  call.ids = input.ids;
  call.grids = grids;
  call.vision = architecture.encode_images(input, model::CancelToken());
  call.cache = &impl_->cache;
  try {
    return architecture.run(call, impl_->state).reshape(Shape{architecture.vocab_size()});
  } catch (...) {
    impl_->cache.truncate(past);  // rows of layers that had appended are forgotten
    throw;
  }
}

std::int64_t Session::past() const noexcept { return impl_->state.past(); }

Session Session::fork() const {
  return Session(std::make_shared<Impl>(Impl{impl_->model, impl_->state, impl_->cache.clone()}));
}

void Session::reset() {
  impl_->cache.truncate(0);
  impl_->state.reset();
}

}  // namespace octavo
