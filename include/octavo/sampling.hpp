/// @file
/// How the next token is chosen among a model's logits, and how likely the model thought it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace octavo {

/// How the next token is chosen. Spec: Hugging Face's logits processors, in their order: the repetition penalty,
/// temperature, and the filters as they stand here.
struct SamplingOptions {
  bool do_sample = false;           ///< false: the best token; the repetition penalty acts all the same
  double temperature = 1.0;         ///< >= 0; 0 means greedy
  std::int64_t top_k = 50;          ///< keeps the k best and their ties; 0: off
  double top_p = 1.0;               ///< in [0, 1]; keeps the smallest set that reaches this probability; 1: off
  double min_p = 0.0;               ///< in [0, 1]; keeps what has this part of the best one's probability; 0: off
  double typical_p = 1.0;           ///< > 0; keeps the most typical that reach this probability; 1: off
  double epsilon_cutoff = 0.0;      ///< in (0, 1) keeps what is at least so likely
  double eta_cutoff = 0.0;          ///< in (0, 1) the same, less strict where many are likely
  double repetition_penalty = 1.0;  ///< > 0; applied once to every distinct id of prompt and answer; 1: off
  std::uint64_t seed = 0;           ///< the same seed gives the same tokens
};

/// A token, and what is added to its logit before anything else is done with it: -infinity forbids it.
struct TokenBias {
  std::int32_t id = 0;
  double bias = 0;
};

/// A token and the chance that sampling would draw it.
struct TokenProbability {
  std::int32_t id = 0;
  double probability = 0;
};
/// What one step draws from, best first: the ids that survive every filter, probabilities summing to 1 (greedy: one
/// id). `history` is prompt and answer so far.
/// @throws Error  invalid_argument: options out of their domain; not_finite: a logit is NaN, or the largest infinite.
std::vector<TokenProbability> sampling_distribution(std::span<const float> logits,
                                                    std::span<const std::int32_t> history,
                                                    const SamplingOptions& options);

/// A token and the natural logarithm of the probability that the model gives it.
struct TokenLogProb {
  std::int32_t id = 0;
  double log_prob = 0;
};
/// How likely the model thought a token that was chosen, and what it thought likeliest.
struct TokenLogProbs {
  double log_prob = 0;             ///< of the token itself
  std::vector<TokenLogProb> best;  ///< falling; of equal ones the lowest id first
};
/// The log-softmax of the logits as the model gives them, before bias, penalties, temperature and filters: what
/// OpenAI's `logprobs` and vLLM's raw_logprobs are. Summed in double precision.
/// @throws Error  invalid_argument: `id` outside the logits, `best` negative or above their number; not_finite: a logit
///                is NaN, or the largest infinite.
TokenLogProbs log_probs_of(std::span<const float> logits, std::int32_t id, std::int64_t best = 0);

namespace model {
class Sampler;
}

/// Chooses token after token by hand: with the same options, the draws of generate() where no rules act.
///
///     TokenSampler sampler(options);
///     for (;;) logits = session.feed({{sampler.next(logits.values<float>(), session.tokens())}, {}});
///
/// One thread at a time.
class TokenSampler {
 public:
  /// @throws Error  invalid_argument: options out of their domain.
  explicit TokenSampler(const SamplingOptions& options);
  ~TokenSampler();
  TokenSampler(TokenSampler&& other) noexcept;
  TokenSampler& operator=(TokenSampler&& other) noexcept;
  /// The next token, by logits [vocab] and what the repetition penalty looks at: prompt and answer so far.
  /// @throws Error  not_finite, as sampling_distribution.
  std::int32_t next(std::span<const float> logits, std::span<const std::int32_t> history);

 private:
  std::unique_ptr<model::Sampler> sampler_;
};

}  // namespace octavo
