// How likely a model thought its tokens.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "octavo/detail/pooled.hpp"
#include "octavo/error.hpp"
#include "octavo/sampling.hpp"

namespace octavo {
namespace {

/// Throws not_finite where the logarithm of the sum is no number.
double log_sum_exp(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  if (!std::isfinite(sum) || !std::isfinite(most))
    throw Error(ErrorCode::not_finite, "log-probabilities: a logit is NaN, or the largest is infinite");
  return most + std::log(sum);
}

}  // namespace

TokenLogProbs log_probs_of(std::span<const float> logits, std::int32_t id, std::int64_t best) {
  const auto vocab = static_cast<std::int64_t>(logits.size());
  if (id < 0 || id >= vocab)
    throw Error(ErrorCode::invalid_argument, "log-probabilities: token " + std::to_string(id) + " is outside the " +
                                                 std::to_string(vocab) + " logits");
  if (best < 0 || best > vocab)
    throw Error(ErrorCode::invalid_argument, "log-probabilities: " + std::to_string(best) +
                                                 " best tokens are asked for, there are " + std::to_string(vocab));
  const double total = log_sum_exp(logits);
  const auto log_prob = [&](std::int32_t token) {
    return static_cast<double>(logits[static_cast<std::size_t>(token)]) - total;
  };
  TokenLogProbs result;
  result.log_prob = log_prob(id);
  if (best == 0) return result;
  detail::PooledVector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + best, ids.end(), [&](std::int32_t a, std::int32_t b) {
    const float left = logits[static_cast<std::size_t>(a)];
    const float right = logits[static_cast<std::size_t>(b)];
    return left != right ? left > right : a < b;
  });
  for (std::int64_t i = 0; i < best; ++i) {
    const std::int32_t token = ids[static_cast<std::size_t>(i)];
    result.best.push_back({token, log_prob(token)});
  }
  return result;
}

}  // namespace octavo
