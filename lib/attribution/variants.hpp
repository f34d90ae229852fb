/// Models between an original and its quantized form, held against the original over the same samples.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "octavo/attribution.hpp"
#include "octavo/evaluation.hpp"
#include "octavo/job.hpp"
#include "octavo/metrics.hpp"
#include "octavo/samples.hpp"

namespace octavo::detail {

/// For sorting by how bad something is: NaN is worse than everything.
inline double badness(double value) { return std::isnan(value) ? std::numeric_limits<double>::infinity() : value; }

/// The samples as the original answers them. Its logits are kept as long as they take no more than kMaxLogitBytes.
class Reference {
 public:
  static constexpr std::size_t kMaxLogitBytes = std::size_t{1} << 30;

  Reference(const Model& original, const std::vector<Sample>& samples, const AttributionOptions& options,
            JobProgress& steps);
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(cases_.size()); }
  /// The prompts with the original's answers behind them, as the models are made to read them.
  std::vector<ModelInput> inputs(std::int64_t limit) const;

  /// Teacher-forced on the original's answers: agreement of logits and perplexities alone.
  StepMetrics logits(const Model& variant) const;
  /// Logits, and the variant's own answers: agreement of tokens and score, too.
  StepMetrics answers(const Model& variant) const;
  /// The same of QUANTIZED, whose answers may be known already, with a result per sample, worst KL first.
  StepMetrics answers_of_quantized(const Model& quantized, std::vector<SampleResult>& results) const;

 private:
  struct Answer {
    std::vector<std::int32_t> tokens;
    std::string text;
  };
  struct Case {
    const Sample* sample = nullptr;
    const SampleResult* known = nullptr;  ///< of AttributionOptions::answers
    ModelInput input;
    Answer answer;
    ForcedInput forced;
    Tensor logits;  // f32 [targets or 1, vocab]; undefined when they are computed anew
  };
  const SampleResult* find_known(const Sample& sample) const;
  LogitComparison compare(const Case& one, const Model& variant) const;
  Answer answer_of(const Model& model, const ModelInput& input) const;
  template <class AnswerOf>
  StepMetrics score(const Model& variant, AnswerOf&& answer_of, std::vector<SampleResult>* results) const;

  const Model& original_;
  const AttributionOptions& options_;
  JobProgress& steps_;
  std::vector<Case> cases_;
};

}  // namespace octavo::detail
