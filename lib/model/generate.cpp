// Prefill, then one token per step; or, without a cache, everything again every step. Both give the same tokens.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "model_impl.hpp"
#include "sampling.hpp"

namespace octavo {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// One generation. Its SequenceState is the only source of positions, mask and cache length.
class Generation {
 public:
  Generation(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options)
      : model_(model),
        architecture_(*model.architecture),
        input_(input),
        options_(options),
        cancel_(options.cancel),
        sampler_(options.sampling.value_or(file_sampling(model.generation))),
        ids_(input.ids) {
    architecture_.check_input(input);
    limit_ = checked_limit();
    for (const PixelPatches& image : input.images) grids_.push_back(image.grid);
    for (const std::int32_t id : options.stop_ids) stops_.push_back(id);
    if (!options.ignore_eos)
      stops_.insert(stops_.end(), model.generation.eos_token_ids.begin(), model.generation.eos_token_ids.end());
    if (const Tokenizer* tokenizer = model.find_tokenizer()) decoder_.emplace(*tokenizer);
    result_.prompt_tokens = static_cast<std::int64_t>(input.ids.size());
    result_.preprocess_seconds = input.preprocess_seconds;
    result_.finish_reason = FinishReason::length;
  }

  GenerateResult run() {
    try {
      if (limit_ > 0) steps();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled || !cancel_.requested()) throw;
      result_.finish_reason = FinishReason::cancelled;
      finish_text();
    }
    return std::move(result_);
  }

 private:
  static SamplingOptions file_sampling(const GenerationConfig& file) {
    SamplingOptions sampling;
    sampling.do_sample = file.do_sample;
    sampling.temperature = file.temperature;
    sampling.top_k = file.top_k;
    sampling.top_p = file.top_p;
    sampling.repetition_penalty = file.repetition_penalty;
    return sampling;
  }

  std::int64_t checked_limit() const {
    if (options_.max_new_tokens < 0) {
      throw Error(
          ErrorCode::invalid_argument,
          "generate: max_new_tokens is " + std::to_string(options_.max_new_tokens) + ", it must not be negative");
    }
    const auto prompt = static_cast<std::int64_t>(ids_.size());
    const std::int64_t positions = architecture_.max_position_embeddings();
    if (prompt > positions) {
      throw Error(ErrorCode::invalid_argument, "generate: the prompt has " + std::to_string(prompt) +
                                                   " tokens, the model takes max_position_embeddings = " +
                                                   std::to_string(positions) + ": shorten it or use smaller images");
    }
    return std::min(options_.max_new_tokens, positions - prompt);
  }

  void steps() {
    Stopwatch vision;
    vision_ = architecture_.encode_images(input_, cancel_);
    result_.vision_seconds = vision.seconds();
    for (std::int64_t step = 0; step < limit_; ++step) {
      const Stopwatch watch;
      const Tensor logits = next_logits();
      const std::int32_t id = sampler_.next(logits.values<float>(), ids_);
      (step == 0 ? result_.prefill_seconds : result_.decode_seconds) += watch.seconds();
      if (!take(id, step + 1 == limit_)) return;
    }
  }

  Tensor next_logits() {
    cancel_.check();
    model::LanguageCall call;
    call.cancel = cancel_;
    if (!options_.use_cache) {
      // A fresh state: no past by construction.
      SequenceState state = architecture_.new_state();
      fill_prompt(call);
      return architecture_.run(call, state);
    }
    if (!cache_) {
      state_.emplace(architecture_.new_state());
      cache_.emplace(architecture_.new_cache(static_cast<std::int64_t>(ids_.size()) + limit_));
      fill_prompt(call);
    } else {
      call.ids = std::span(ids_).subspan(static_cast<std::size_t>(state_->past()));  // what the cache does not hold
      call.generated_from = 0;
    }
    call.cache = &*cache_;
    return architecture_.run(call, *state_);
  }

  void fill_prompt(model::LanguageCall& call) const {
    call.ids = ids_;
    call.generated_from = input_.ids.size();
    call.grids = grids_;
    call.vision = vision_;
  }

  /// Records a token; false when the generation is over.
  bool take(std::int32_t id, bool last) {
    ids_.push_back(id);
    result_.tokens.push_back(id);
    std::string text = decoder_ ? decoder_->push(id) : std::string();
    const bool stop = std::find(stops_.begin(), stops_.end(), std::int64_t{id}) != stops_.end();
    if ((stop || last) && decoder_) text += decoder_->finish();
    result_.text += text;
    const bool wanted = !options_.on_token || options_.on_token(id, text);
    if (stop) {
      result_.finish_reason = FinishReason::stop;
    } else if (!wanted) {
      result_.finish_reason = FinishReason::cancelled;
      if (!last) finish_text();
    }
    return !stop && wanted;
  }

  void finish_text() {
    if (decoder_) result_.text += decoder_->finish();
  }

  const Model::Impl& model_;
  const model::Architecture& architecture_;
  const ModelInput& input_;
  const GenerateOptions& options_;
  model::CancelToken cancel_;
  model::Sampler sampler_;
  std::vector<std::int32_t> ids_;  // prompt and answer so far
  std::int64_t limit_ = 0;         // new tokens at most
  std::vector<Grid> grids_;
  std::vector<std::int64_t> stops_;
  std::optional<StreamDecoder> decoder_;
  Tensor vision_;
  std::optional<SequenceState> state_;
  std::optional<KvCache> cache_;
  GenerateResult result_;
};

}  // namespace

GenerateResult Model::generate(const ModelInput& input, const GenerateOptions& options) const {
  return Generation(*impl_, input, options).run();
}

}  // namespace octavo
