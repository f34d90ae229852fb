#include "answer.hpp"

#include <algorithm>

namespace octavo::model {
namespace {

SamplingOptions file_sampling(const GenerationConfig& file) {
  SamplingOptions sampling;
  sampling.do_sample = file.do_sample;
  sampling.temperature = file.temperature;
  sampling.top_k = file.top_k;
  sampling.top_p = file.top_p;
  sampling.min_p = file.min_p;
  sampling.typical_p = file.typical_p;
  sampling.epsilon_cutoff = file.epsilon_cutoff;
  sampling.eta_cutoff = file.eta_cutoff;
  sampling.repetition_penalty = file.repetition_penalty;
  return sampling;
}

constexpr std::int64_t kUsualAnswer = 256;       // tokens, where neither the caller nor the file says
constexpr std::int64_t kUnstatedMaxLength = 20;  // GenerationConfig's default, which transformers adds to the prompt

/// New tokens by generation_config.json.
std::int64_t file_limit(const GenerationConfig& file, std::int64_t prompt) {
  if (file.max_new_tokens) return *file.max_new_tokens;
  if (!file.max_length) return kUsualAnswer;
  if (*file.max_length == kUnstatedMaxLength) return kUnstatedMaxLength;
  if (*file.max_length <= prompt)
    throw Error(ErrorCode::invalid_argument, "generate: the prompt has " + std::to_string(prompt) +
                                                 " tokens, and generation_config.json's max_length is " +
                                                 std::to_string(*file.max_length) +
                                                 ", prompt and answer together: state max_new_tokens, or a longer one");
  return *file.max_length - prompt;
}

std::int64_t checked_limit(const Model::Impl& model, const ModelInput& input, std::optional<std::int64_t> wanted,
                           std::int64_t positions) {
  if (wanted && *wanted < 0) {
    throw Error(ErrorCode::invalid_argument,
                "generate: max_new_tokens is " + std::to_string(*wanted) + ", it must not be negative");
  }
  const auto prompt = static_cast<std::int64_t>(input.ids.size());
  if (prompt > positions) {
    throw Error(ErrorCode::invalid_argument, "generate: the prompt has " + std::to_string(prompt) +
                                                 " tokens, the model takes max_position_embeddings = " +
                                                 std::to_string(positions) + ": shorten it or use smaller images");
  }
  return std::min(wanted ? *wanted : file_limit(model.generation, prompt), positions - prompt);
}

/// The ids that end an answer: the caller's and, unless he leaves them out, the file's.
std::vector<std::int32_t> stops_of(const GenerationConfig& file, const GenerateOptions& options) {
  std::vector<std::int32_t> stops = options.stop_ids;
  if (options.ignore_eos) return stops;
  for (const std::int64_t id : file.eos_token_ids) stops.push_back(static_cast<std::int32_t>(id));
  return stops;
}

const GenerationRules& rules_of(const Model::Impl& model, const GenerateOptions& options) {
  return options.rules ? *options.rules : model.generation.rules;
}

}  // namespace

Answer::Answer(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options,
               std::int64_t positions)
    : input_(input),
      ids_(input.ids),
      limit_(checked_limit(model, input, options.max_new_tokens, positions)),
      finished_(limit_ == 0),
      stops_(stops_of(model.generation, options)),
      sampler_(
          options.sampling.value_or(file_sampling(model.generation)),
          TokenRules(rules_of(model, options), stops_, input.ids.size(), limit_, model.architecture->vocab_size())),
      stop_strings_(rules_of(model, options).stop_strings, model.find_tokenizer(), input.ids) {
  if (const Tokenizer* tokenizer = model.find_tokenizer()) decoder_.emplace(*tokenizer);
  // So that steps need not grow them; the longest tokens may.
  constexpr std::size_t kUsualBytes = 8;  // of a token's text, generously
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(limit_, 0));
  ids_.reserve(ids_.size() + limit);
  result.tokens.reserve(limit);
  result.text.reserve(kUsualBytes * limit);
  result.prompt_tokens = static_cast<std::int64_t>(input.ids.size());
  result.preprocess_seconds = input.preprocess_seconds;
  result.finish_reason = FinishReason::length;
  for (const PixelPatches& image : input.images) result.pictures.push_back({image.original, image.resized});
  if (options.boxes == BoxSpace::original) common_scale(result.pictures);  // before the work
}

Answer::Piece Answer::take(std::span<const float> logits) {
  Piece piece{sampler_.next(logits, ids_), {}};
  ids_.push_back(piece.id);
  result.tokens.push_back(piece.id);
  const bool stop =
      stop_strings_.ends_with(piece.id) || std::find(stops_.begin(), stops_.end(), piece.id) != stops_.end();
  finished_ = stop || static_cast<std::int64_t>(result.tokens.size()) == limit_;
  if (stop) result.finish_reason = FinishReason::stop;
  if (decoder_) piece.text = decoder_->push(piece.id);
  if (decoder_ && finished_) piece.text += decoder_->finish();
  result.text += piece.text;
  return piece;
}

void Answer::cancel() {
  // The last token ended the text, and a stop token the answer.
  if (!finished_ && decoder_) result.text += decoder_->finish();
  if (result.finish_reason != FinishReason::stop) result.finish_reason = FinishReason::cancelled;
  finished_ = true;
}

}  // namespace octavo::model
