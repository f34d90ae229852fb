#include <algorithm>
#include <string>
#include <utility>

#include "model_impl.hpp"

namespace octavo {

Model Model::open(const FileSource& files, const ModelOptions& options, const OpenWatch& watch) {
  Checkpoint checkpoint = Checkpoint::open(files);
  const model::ArchitectureEntry& entry = model::find_architecture(checkpoint);
  model::require_structure(checkpoint);
  Model model;
  model.impl_ = std::make_shared<const Impl>(checkpoint, options, entry.open(checkpoint, options, watch),
                                             GenerationConfig::read(files, checkpoint.config()));
  return model;
}

const Tokenizer* Model::Impl::find_tokenizer() const {
  const std::scoped_lock lock(lazy_mutex);
  if (!tokenizer) {
    const FileSource& files = checkpoint.files();
    if (!files.has("tokenizer.json") && !files.has("vocab.json")) return nullptr;
    tokenizer = Tokenizer::open(files);
  }
  return &*tokenizer;
}

const ModelOptions& Model::options() const noexcept { return impl_->options; }
const Checkpoint& Model::checkpoint() const { return impl_->checkpoint; }

const Tokenizer& Model::tokenizer() const {
  const Tokenizer* found = impl_->find_tokenizer();
  if (found == nullptr) {
    throw Error(ErrorCode::not_found,
                impl_->checkpoint.directory() +
                    ": no tokenizer.json and no vocab.json: copy the tokenizer files of the original "
                    "model here, or work with token ids");
  }
  return *found;
}

const ChatTemplate& Model::chat_template() const {
  const std::scoped_lock lock(impl_->lazy_mutex);
  if (!impl_->chat_template) impl_->chat_template = ChatTemplate::open(impl_->checkpoint.files());
  return *impl_->chat_template;
}

const ImageProcessorConfig& Model::image_processor() const {
  const std::scoped_lock lock(impl_->lazy_mutex);
  if (!impl_->image_processor) impl_->image_processor = ImageProcessorConfig::open(impl_->checkpoint.files());
  return *impl_->image_processor;
}

std::int64_t Model::vocab_size() const { return impl_->architecture->vocab_size(); }
std::int64_t Model::max_position_embeddings() const { return impl_->architecture->max_position_embeddings(); }
std::size_t Model::resident_bytes() const { return impl_->architecture->weight_bytes(); }

std::vector<LinearInfo> Model::linears() const { return impl_->architecture->linears(); }

const Linear& Model::linear(std::string_view module_path) const { return impl_->architecture->linear(module_path); }

Model Model::with_linears(std::span<const Linear> replacements) const {
  Model model;
  model.impl_ = std::make_shared<const Impl>(impl_->checkpoint, impl_->options,
                                             impl_->architecture->with_linears(replacements), impl_->generation);
  return model;
}

Tensor Model::encode_images(const ModelInput& input) const {
  impl_->architecture->check_input(input);
  return impl_->architecture->encode_images(input, model::CancelToken());
}

namespace {

/// One uncached call over a whole prompt.
class WholePrompt {
 public:
  WholePrompt(const model::Architecture& architecture, const ModelInput& input)
      : architecture_(architecture), state_(architecture.new_state()) {
    architecture.check_input(input);
    for (const PixelPatches& image : input.images) grids_.push_back(image.grid);
    sequence_.state = &state_;
    sequence_.ids = model::ids_over(input.ids);
    sequence_.grids = grids_;
    sequence_.logit_rows = 0;
    sequence_.vision = architecture.encode_images(input, model::CancelToken());
    call_.sequences = {&sequence_, 1};
  }
  WholePrompt(const WholePrompt&) = delete;
  WholePrompt& operator=(const WholePrompt&) = delete;

  model::SequenceCall& sequence() { return sequence_; }
  model::LanguageCall& call() { return call_; }
  Tensor run() { return architecture_.run(call_); }

 private:
  const model::Architecture& architecture_;
  SequenceState state_;
  std::vector<Grid> grids_;
  model::SequenceCall sequence_;
  model::LanguageCall call_;
};

}  // namespace

Tensor Model::forward(const ModelInput& input, std::vector<Tensor>* hidden_states,
                      std::optional<DType> cache_dtype) const {
  WholePrompt prompt(*impl_->architecture, input);
  std::optional<KvCache> cache;
  if (cache_dtype) cache = impl_->architecture->new_cache(static_cast<std::int64_t>(input.ids.size()), *cache_dtype);
  prompt.sequence().cache = cache ? &*cache : nullptr;
  prompt.sequence().logit_rows = prompt.sequence().ids.dim(0);
  std::vector<Tensor> states;
  prompt.call().hidden_states = hidden_states == nullptr ? nullptr : &states;
  Tensor logits = prompt.run();
  if (hidden_states != nullptr) *hidden_states = std::move(states);
  return logits;
}

std::vector<Tensor> Model::hidden_states(const ModelInput& input, std::span<const std::int64_t> layers) const {
  const std::int64_t count = impl_->architecture->num_layers();
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
  WholePrompt prompt(*impl_->architecture, input);
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
  WholePrompt prompt(*impl_->architecture, input);
  Tensor rows;
  prompt.call().last_hidden_state = &rows;
  prompt.run();
  return rows;
}

}  // namespace octavo
