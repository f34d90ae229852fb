// An answer that goes on from a session, by the steps that Model::generate takes.
#include <utility>

#include "session_impl.hpp"
#include "steps.hpp"

namespace octavo {
namespace {

void check_session_options(const GenerateOptions& options) {
  model::check_options(options);
  if (!options.use_cache)
    throw Error(ErrorCode::invalid_argument, "session: generate works on the session's cache, and use_cache is off");
  if (options.prefix_cache)
    throw Error(ErrorCode::invalid_argument,
                "session: generate goes on from what the session has read; leave prefix_cache empty");
}

}  // namespace

GenerateResult Session::generate(const GenerateOptions& options) {
  Impl& impl = *impl_;
  const MemoryPoolScope scope(impl.pool);
  check_session_options(options);
  ModelInput prompt;
  prompt.ids = impl.tokens;
  for (const model::HeldPicture& picture : impl.pictures) {
    PixelPatches sizes;
    sizes.original = picture.size.original;
    sizes.resized = picture.size.seen;
    prompt.images.push_back(std::move(sizes));
  }
  impl.unread_last();
  const std::int64_t before = impl.state.past();
  model::Sequence sequence(*impl.model, prompt, options, impl.state, impl.cache);
  model::Steps steps(impl.architecture());
  const auto rethrow_failure = [&] {
    if (sequence.failure) std::rethrow_exception(sequence.failure);
  };
  const auto undo = [&] {
    impl.state.truncate(before);
    impl.cache.truncate(before);
  };
  try {
    if (impl.unread() == 0 && !sequence.finished())
      steps.take(sequence, Tensor::borrow(impl.logits.data(), DType::f32, {1, impl.architecture().vocab_size()}), 0);
    rethrow_failure();
    model::Sequence* const running[] = {&sequence};
    while (!sequence.finished()) {
      steps.run(running, 0, sequence.cancel_token());
      rethrow_failure();
    }
  } catch (const Error& error) {
    if (!sequence.cancelled_by(error)) {
      undo();
      throw;
    }
    sequence.cancel();
  } catch (...) {
    undo();
    throw;
  }
  if (!sequence.answer.result.tokens.empty()) {
    impl.tokens.assign(sequence.answer.ids().begin(), sequence.answer.ids().end());
    impl.logits.clear();
  }
  model::place_boxes(sequence.answer.result, options);
  return std::move(sequence.answer.result);
}

}  // namespace octavo
