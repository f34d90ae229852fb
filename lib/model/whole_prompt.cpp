// What a prompt is to the model when it is run at once, uncached: logits, hidden states.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "call_pool.hpp"
#include "model_impl.hpp"

namespace octavo {

namespace {

/// One uncached call over a whole prompt.
class WholePrompt {
 public:
  WholePrompt(const model::RuntimeModel& runtime, const ModelInput& input)
      : runtime_(runtime), state_(runtime.new_state()) {
    runtime.check_input(input);
    for (const PixelPatches& image : input.images) grids_.push_back(image.grid);
    sequence_.state = &state_;
    sequence_.ids = model::ids_over(input.ids);
    sequence_.grids = grids_;
    sequence_.logit_rows = 0;
    sequence_.vision = runtime.encode_images(input, model::CancelToken());
    call_.sequences = {&sequence_, 1};
  }
  WholePrompt(const WholePrompt&) = delete;
  WholePrompt& operator=(const WholePrompt&) = delete;

  model::SequenceCall& sequence() { return sequence_; }
  model::LanguageCall& call() { return call_; }
  Tensor run() { return runtime_.run(call_); }

 private:
  const model::CallPool pool_;  // of what the call makes on its way
  const model::RuntimeModel& runtime_;
  SequenceState state_;
  std::vector<Grid> grids_;
  model::SequenceCall sequence_;
  model::LanguageCall call_;
};

}  // namespace

Tensor Model::forward(const ModelInput& input, std::vector<Tensor>* hidden_states,
                      std::optional<DType> cache_dtype) const {
  WholePrompt prompt(*impl_->runtime, input);
  std::optional<KvCache> cache;
  if (cache_dtype) cache = impl_->runtime->new_cache(static_cast<std::int64_t>(input.ids.size()), *cache_dtype);
  prompt.sequence().cache = cache ? &*cache : nullptr;
  prompt.sequence().logit_rows = prompt.sequence().ids.dim(0);
  std::vector<Tensor> states;
  prompt.call().hidden_states = hidden_states == nullptr ? nullptr : &states;
  Tensor logits = prompt.run();
  if (hidden_states != nullptr) *hidden_states = std::move(states);
  return logits;
}

std::vector<Tensor> Model::hidden_states(const ModelInput& input, std::span<const std::int64_t> layers) const {
  const std::int64_t count = impl_->runtime->num_layers();
  std::vector<std::int64_t> asked, wanted;
  for (const std::int64_t layer : layers) {
    if (layer < -count || layer >= count)
      throw Error(ErrorCode::invalid_argument, "hidden_states: there is no layer " + std::to_string(layer) +
                                                   ", the language model has " + std::to_string(count));
    asked.push_back(layer < 0 ? layer + count : layer);
  }
  if (asked.empty()) return {};
  wanted = asked;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  WholePrompt prompt(*impl_->runtime, input);
  std::vector<Tensor> states, in_order;
  prompt.call().hidden_states = &states;
  prompt.call().hidden_layers = wanted;
  prompt.run();
  for (const std::int64_t layer : asked)
    in_order.push_back(
        states[static_cast<std::size_t>(std::lower_bound(wanted.begin(), wanted.end(), layer) - wanted.begin())]);
  return in_order;
}

Tensor Model::last_hidden_state(const ModelInput& input) const {
  WholePrompt prompt(*impl_->runtime, input);
  Tensor rows;
  prompt.call().last_hidden_state = &rows;
  prompt.run();
  return rows;
}

}  // namespace octavo
