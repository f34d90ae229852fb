// One sequence's answer as it grows: how long it may be, how its tokens are chosen, when it ends, and its text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model_impl.hpp"
#include "sampling.hpp"
#include "stop_strings.hpp"
#include "stop_text.hpp"

namespace octavo::model {

class Answer {
 public:
  /// Checks the options. `model`, `input`, which was checked, and `options` must outlive it; of images, the sizes alone
  /// are read.
  /// @param sequence   Its index, for the callbacks.
  /// @param positions  That prompt and answer may take together.
  Answer(const Model::Impl& model, const ModelInput& input, const GenerateOptions& options, std::size_t sequence,
         std::int64_t positions);

  const ModelInput& prompt() const noexcept { return input_; }
  std::span<const std::int32_t> ids() const noexcept { return ids_; }  ///< prompt and answer so far
  std::int64_t limit() const noexcept { return limit_; }               ///< new tokens at most
  bool finished() const noexcept { return finished_; }

  /// Says of a call whose logits `take` gets next what of them matters; `draft`: tokens of it that are not taken yet.
  void ask(SequenceCall& call, std::span<const std::int32_t> draft) const;

  struct Piece {
    std::int32_t id;
    std::string text;  ///< what became complete
  };
  /// The next token, drawn from the logits of the last position; finishes at a stop token, a stop text and at the
  /// limit. None, and finished, where on_logits ends it.
  std::optional<Piece> take(std::span<const float> logits);
  /// Ends it before its time.
  void cancel();

  GenerateResult result;

 private:
  std::optional<std::int32_t> choose(std::span<const float> logits);
  std::string rest_of_text();

  const ModelInput& input_;
  const GenerateOptions& options_;
  std::size_t sequence_;
  std::vector<std::int32_t> ids_;
  std::int64_t limit_ = 0;
  bool finished_ = false;
  std::vector<std::int32_t> stops_;
  Sampler sampler_;
  StopStrings stop_strings_;
  StopText stop_text_;
  std::optional<StreamDecoder> decoder_;  // none without tokenizer files
};

}  // namespace octavo::model
