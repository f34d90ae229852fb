/// Every threshold by its JSON key: the one list that profile, report and command line go through.
#pragma once

#include <array>
#include <limits>
#include <optional>

#include "octavo/evaluation.hpp"

namespace octavo::detail {

struct ThresholdKey {
  const char* key;
  std::optional<double> VerifyThresholds::*value;
  double least, most;  ///< its domain
};

inline constexpr double kUnbounded = std::numeric_limits<double>::max();
inline constexpr std::array kThresholdKeys{
    ThresholdKey{"min_token_agreement", &VerifyThresholds::min_token_agreement, 0, 1},
    ThresholdKey{"min_logit_cosine", &VerifyThresholds::min_logit_cosine, -1, 1},
    ThresholdKey{"max_kl", &VerifyThresholds::max_kl, 0, kUnbounded},
    ThresholdKey{"max_accuracy_drop", &VerifyThresholds::max_accuracy_drop, -1, 1},
    ThresholdKey{"min_top1_agreement", &VerifyThresholds::min_top1_agreement, 0, 1},
    ThresholdKey{"min_top5_agreement", &VerifyThresholds::min_top5_agreement, 0, 1},
    ThresholdKey{"max_perplexity_ratio", &VerifyThresholds::max_perplexity_ratio, 0, kUnbounded},
    ThresholdKey{"max_cache_difference", &VerifyThresholds::max_cache_difference, 0, kUnbounded},
    ThresholdKey{"max_cache_difference_quantized", &VerifyThresholds::max_cache_difference_quantized, 0, kUnbounded}};

}  // namespace octavo::detail
