// An answer that goes on from a session, by the steps that Model::generate takes.
#include <string>
#include <utility>

#include "session_impl.hpp"
#include "steps.hpp"

namespace octavo {
namespace {

void check_session_options(const GenerateOptions& options, DType cache_dtype, std::int64_t prefill_chunk) {
  model::check_options(options);
  if (!options.use_cache)
    throw Error(ErrorCode::invalid_argument, "session: generate works on the session's cache, and use_cache is off");
  if (options.prefix_cache)
    throw Error(ErrorCode::invalid_argument,
                "session: generate goes on from what the session has read; leave prefix_cache empty");
  const GenerateOptions unset;
  if (options.cache_dtype != unset.cache_dtype && options.cache_dtype != cache_dtype)
    throw Error(ErrorCode::invalid_argument, std::string("session: its cache is of ") + dtype_name(cache_dtype) +
                                                 ", and options.cache_dtype is " + dtype_name(options.cache_dtype));
  if (options.prefill_chunk != unset.prefill_chunk && options.prefill_chunk != prefill_chunk)
    throw Error(ErrorCode::invalid_argument, "session: its prefill_chunk is " + std::to_string(prefill_chunk) +
                                                 ", and options.prefill_chunk is " +
                                                 std::to_string(options.prefill_chunk));
}

}  // namespace

GenerateResult Session::generate(const GenerateOptions& options) {
  Impl& impl = *impl_;
  const MemoryPoolScope scope(impl.pool);
  check_session_options(options, impl.cache.dtype(), impl.prefill_chunk);
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
  model::Steps steps(impl.runtime());
  const auto rethrow_failure = [&] {
    if (sequence.failure) std::rethrow_exception(sequence.failure);
  };
  const auto undo = [&] {
    impl.state.truncate(before);
    impl.cache.truncate(before);
  };
  try {
    if (impl.unread() == 0 && !sequence.finished())
      steps.take(sequence, Tensor::borrow(impl.logits.data(), DType::f32, {1, impl.runtime().vocab_size()}), 0);
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
