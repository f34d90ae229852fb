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
  sampling.repetition_penalty = file.repetition_penalty;
  return sampling;
}

std::int64_t checked_limit(const Architecture& architecture, std::size_t prompt_tokens, std::int64_t wanted) {
  if (wanted < 0) {
    throw Error(ErrorCode::invalid_argument,
                "generate: max_new_tokens is " + std::to_string(wanted) + ", it must not be negative");
  }
  const auto prompt = static_cast<std::int64_t>(prompt_tokens);
  const std::int64_t positions = architecture.max_position_embeddings();
  if (prompt > positions) {
    throw Error(ErrorCode::invalid_argument, "generate: the prompt has " + std::to_string(prompt) +
                                                 " tokens, the model takes max_position_embeddings = " +
                                                 std::to_string(positions) + ": shorten it or use smaller images");
  }
  return std::min(wanted, positions - prompt);
}

}  // namespace

Answer::Answer(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options)
    : input_(input), ids_(input.ids), sampler_(options.sampling.value_or(file_sampling(model.generation))) {
  model.architecture->check_input(input);
  limit_ = checked_limit(*model.architecture, input.ids.size(), options.max_new_tokens);
  finished_ = limit_ == 0;
  for (const std::int32_t id : options.stop_ids) stops_.push_back(id);
  if (!options.ignore_eos)
    stops_.insert(stops_.end(), model.generation.eos_token_ids.begin(), model.generation.eos_token_ids.end());
  if (const Tokenizer* tokenizer = model.find_tokenizer()) decoder_.emplace(*tokenizer);
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
  const bool stop = std::find(stops_.begin(), stops_.end(), std::int64_t{piece.id}) != stops_.end();
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
