#include <string>
#include <utility>
#include <vector>

#include "call_pool.hpp"
#include "model_impl.hpp"
#include "open_log.hpp"
#include "stopwatch.hpp"

namespace octavo {

Model Model::open(const FileSource& files, const ModelOptions& options, const OpenWatch& watch) {
  const model::Stopwatch opening;
  Checkpoint checkpoint = Checkpoint::open(files);
  const model::FoundArchitecture found = model::find_architecture(checkpoint);
  model::require_structure(checkpoint);
  Model model;
  model.impl_ =
      std::make_shared<const Impl>(checkpoint, options, model::RuntimeModel::open(checkpoint, found, options, watch),
                                   GenerationConfig::read(files, checkpoint.config()));
  model::log_opened(model, opening.seconds());
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

const FormVocabulary& Model::Impl::form_vocabulary() const {
  const Tokenizer* tokens = find_tokenizer();
  if (tokens == nullptr)
    throw Error(ErrorCode::not_found,
                "generate: a form is about texts, and the directory has no tokenizer: copy its files here");
  const std::scoped_lock lock(lazy_mutex);
  if (!forms) {
    std::vector<std::string> bytes(static_cast<std::size_t>(tokens->size()));
    for (std::int32_t token = 0; token < tokens->size(); ++token)
      if (!tokens->is_special(token)) bytes[static_cast<std::size_t>(token)] = tokens->token_bytes(token);
    forms.emplace(bytes);
  }
  return *forms;
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

const FormVocabulary& Model::form_vocabulary() const { return impl_->form_vocabulary(); }

const ChatTemplate& Model::chat_template() const {
  const std::scoped_lock lock(impl_->lazy_mutex);
  if (!impl_->chat_template) impl_->chat_template = ChatTemplate::open(impl_->checkpoint.files(), takes_pictures());
  return *impl_->chat_template;
}

const ImageProcessorConfig& Model::image_processor() const {
  const std::scoped_lock lock(impl_->lazy_mutex);
  if (!impl_->image_processor) impl_->image_processor = ImageProcessorConfig::open(impl_->checkpoint.files());
  return *impl_->image_processor;
}

std::int64_t Model::vocab_size() const { return impl_->runtime->vocab_size(); }
std::int64_t Model::max_position_embeddings() const { return impl_->runtime->max_position_embeddings(); }
std::size_t Model::resident_bytes() const { return impl_->runtime->weight_bytes(); }
std::size_t Model::greedy_head_bytes() const { return impl_->runtime->screen_bytes(); }

bool Model::takes_pictures() const { return impl_->runtime->vision() != nullptr; }

bool Model::is_pad(std::int32_t id) const {
  const ImageLayout layout = impl_->runtime->image_layout();
  return id >= 0 && (id == layout.image_token_id || id == layout.video_token_id);
}

std::vector<LinearInfo> Model::linears() const { return impl_->runtime->linears(); }

const Linear& Model::linear(std::string_view module_path) const { return impl_->runtime->linear(module_path); }

Model Model::with_linears(std::span<const Linear> replacements) const {
  Model model;
  model.impl_ = std::make_shared<const Impl>(impl_->checkpoint, impl_->options,
                                             impl_->runtime->with_linears(replacements), impl_->generation, true);
  return model;
}

Tensor Model::encode_images(const ModelInput& input) const {
  const model::CallPool pool;
  impl_->runtime->check_input(input);
  return impl_->runtime->encode_images(input, model::CancelToken());
}

}  // namespace octavo
