/// Numbers that say how far two runs of the same sample are apart.
#pragma once

#include <cstdint>
#include <span>

#include "octavo/tensor.hpp"

namespace octavo::pipeline {

/// Sums over positions; divide by `positions`.
struct LogitComparison {
  double cosine = 0, kl = 0;
  std::int64_t same_top1 = 0, positions = 0;
  /// One position: logits of the original and of the quantized model, same length. KL(original || quantized) in nats,
  /// log-sum-exp in double.
  void add(std::span<const float> original, std::span<const float> quantized);
};

/// Squared sums of one layer's output over all rows seen.
struct OutputError {
  double difference = 0, size = 0;
  std::int64_t rows = 0;
  void add(const Tensor& original, const Tensor& quantized);  // f32 [L, hidden] each
  double relative() const;
};

/// Length of the common prefix over the longer length; 1 for two empty answers.
double prefix_agreement(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

}  // namespace octavo::pipeline
