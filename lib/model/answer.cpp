#include "answer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "octavo/detail/pooled.hpp"
#include "octavo/file_sampling.hpp"

namespace octavo::model {
namespace {

SamplingOptions asked_sampling(const GenerationConfig& file, const GenerateOptions& options) {
  if (!options.sampling) return sampling_of(file);
  refuse_unused(*options.sampling);
  return *options.sampling;
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

std::optional<FormState> form_of(const Model::Impl& model, const GenerateOptions& options,
                                 const std::vector<std::int32_t>& stops) {
  if (!options.form) return std::nullopt;
  const GenerationRules& rules = rules_of(model, options);
  if (rules.forced_bos_token_id || !rules.forced_eos_token_ids.empty())
    throw Error(
        ErrorCode::invalid_argument,
        "generate: the rules force a token at the begin or the end of the answer, which its form may not allow: "
        "leave out forced_bos_token_id and forced_eos_token_id, or the form");
  return FormState(*options.form, model.form_vocabulary(), stops);
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

/// A bias is that of a sequence of one.
GenerationRules rules_and_bias(const Model::Impl& model, const GenerateOptions& options) {
  GenerationRules rules = rules_of(model, options);
  const std::int64_t vocab = model.runtime->vocab_size();
  constexpr double kMost = std::numeric_limits<float>::max();
  for (const TokenBias& entry : options.logit_bias) {
    if (entry.id < 0 || entry.id >= vocab)
      throw Error(ErrorCode::invalid_argument, "generate: logit_bias has the token id " + std::to_string(entry.id) +
                                                   ", outside the vocabulary of " + std::to_string(vocab));
    if (!(std::abs(entry.bias) <= kMost) && entry.bias != -std::numeric_limits<double>::infinity())
      throw Error(ErrorCode::invalid_argument, "generate: logit_bias of token " + std::to_string(entry.id) + " is " +
                                                   short_number(entry.bias) +
                                                   ", it must lie in the range of float32 or be -infinity");
    rules.sequence_bias.push_back({{entry.id}, entry.bias});
  }
  return rules;
}

std::vector<std::string> stop_texts_of(const Model::Impl& model, const GenerateOptions& options) {
  if (!options.stop_strings.empty() && model.find_tokenizer() == nullptr)
    throw Error(ErrorCode::not_found,
                "generate: stop_strings are texts, and the directory has no tokenizer: copy its files here, or stop at "
                "token ids");
  return options.stop_strings;
}

/// @throws Error  invalid_argument: log_probs outside 0 .. vocab.
void check_log_probs(const Model::Impl& model, const GenerateOptions& options) {
  const std::int64_t vocab = model.runtime->vocab_size();
  if (options.log_probs && (*options.log_probs < 0 || *options.log_probs > vocab))
    throw Error(ErrorCode::invalid_argument,
                "generate: log_probs asks for the " + std::to_string(*options.log_probs) +
                    " best tokens, it must lie in 0 .. vocab_size = " + std::to_string(vocab));
}

/// What a caller made of the logits is no fault of the model.
void check_changed(std::span<const float> logits) {
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity())
      throw Error(ErrorCode::invalid_argument, "generate: on_logits left " + std::to_string(logits[i]) + " at token " +
                                                   std::to_string(i) +
                                                   ": a logit is a number, or -infinity to forbid the token");
}

}  // namespace

Answer::Answer(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t sequence,
               std::int64_t positions)
    : input_(input),
      options_(options),
      sequence_(sequence),
      ids_(input.ids),
      limit_(checked_limit(model, input, options.max_new_tokens, positions)),
      finished_(limit_ == 0),
      stops_(stops_of(model.generation, options)),
      sampler_(
          asked_sampling(model.generation, options),
          TokenRules(rules_and_bias(model, options), stops_, input.ids.size(), limit_, model.runtime->vocab_size()),
          form_of(model, options, stops_)),
      stop_strings_(rules_of(model, options).stop_strings, model.find_tokenizer(), input.ids),
      stop_text_(stop_texts_of(model, options)) {
  check_log_probs(model, options);
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

void Answer::ask(SequenceCall& call, std::span<const std::int32_t> draft) const {
  // Behind a draft the history that is penalised is another one.
  call.largest_alone = sampler_.largest_decides() && !options_.log_probs && !options_.on_logits &&
                       (draft.empty() || !sampler_.penalises());
  if (call.largest_alone && sampler_.penalises()) call.exact = ids_;
}

std::optional<Answer::Piece> Answer::take(std::span<const float> logits) {
  const std::optional<std::int32_t> id = choose(logits);
  if (!id) {
    cancel();
    return std::nullopt;
  }
  Piece piece{*id, {}};
  ids_.push_back(*id);
  result.tokens.push_back(*id);
  if (options_.log_probs) result.log_probs.push_back(log_probs_of(logits, *id, *options_.log_probs));
  if (decoder_) piece.text = stop_text_.push(decoder_->push(*id));
  const bool complete = stops_.empty() && sampler_.exhausted();  // there is no token to end it with
  const bool stop = stop_strings_.ends_with(*id) || stop_text_.found() || complete ||
                    std::find(stops_.begin(), stops_.end(), *id) != stops_.end();
  finished_ = stop || static_cast<std::int64_t>(result.tokens.size()) == limit_;
  if (finished_) piece.text += rest_of_text();
  if (stop || stop_text_.found()) result.finish_reason = FinishReason::stop;
  result.text += piece.text;
  return piece;
}

/// None where on_logits ends the answer.
std::optional<std::int32_t> Answer::choose(std::span<const float> logits) {
  if (!options_.on_logits) return sampler_.next(logits, ids_);
  detail::PooledVector<float> changed(logits.begin(), logits.end());
  if (!options_.on_logits(sequence_, ids_, changed)) return std::nullopt;
  check_changed(changed);
  return sampler_.next(changed, ids_);
}

std::string Answer::rest_of_text() {
  if (!decoder_) return {};
  std::string rest = stop_text_.push(decoder_->finish());
  return rest + stop_text_.finish();
}

void Answer::cancel() {
  // The last token ended the text, and a stop token the answer.
  if (!finished_) result.text += rest_of_text();
  if (result.finish_reason != FinishReason::stop) result.finish_reason = FinishReason::cancelled;
  finished_ = true;
}

}  // namespace octavo::model
