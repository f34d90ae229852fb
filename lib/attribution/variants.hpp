/// Models between an original and its quantized form, held against the original over the same samples.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "forced.hpp"
#include "internal.hpp"
#include "octavo/attribution.hpp"
#include "octavo/metrics.hpp"

namespace octavo::pipeline {

/// The samples as the original answers them. Its logits are kept as long as they take no more than kMaxLogitBytes.
class Reference {
 public:
  static constexpr std::size_t kMaxLogitBytes = std::size_t{1} << 30;

  Reference(const Model& original, const std::vector<Sample>& samples, const AttributionOptions& options, Steps& steps);
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(cases_.size()); }
  /// The prompts with the original's answers behind them, as the models are made to read them.
  std::vector<ModelInput> inputs(std::int64_t limit) const;

  /// Teacher-forced on the original's answers: agreement of logits and perplexities alone.
  RungMetrics logits(const Model& variant) const;
  /// Logits, and the variant's own answers: agreement of tokens and score, too. Worst KL first.
  RungMetrics answers(const Model& variant, std::vector<SampleResult>* results = nullptr) const;

 private:
  struct Case {
    const Sample* sample = nullptr;
    ModelInput input;
    std::vector<std::int32_t> answer;
    std::string text;
    ForcedInput forced;
    Tensor logits;  // f32 [targets or 1, vocab]; undefined when they are computed anew
  };
  LogitComparison compare(const Case& one, const Model& variant) const;
  GenerateResult answer_of(const Model& model, const ModelInput& input) const;

  const Model& original_;
  const AttributionOptions& options_;
  Steps& steps_;
  std::vector<Case> cases_;
};

}  // namespace octavo::pipeline
