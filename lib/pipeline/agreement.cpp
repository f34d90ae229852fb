#include "agreement.hpp"

#include <algorithm>
#include <cmath>

namespace octavo::pipeline {
namespace {

double log_sum_exp(std::span<const float> values, double maximum) {
  double sum = 0;
  for (const float value : values) {
    sum += std::exp(double{value} - maximum);
  }
  return maximum + std::log(sum);
}

}  // namespace

void LogitComparison::add(std::span<const float> original, std::span<const float> quantized) {
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const double a = original[i];
    const double b = quantized[i];
    dot += a * b;
    norm_a += a * a;
    norm_b += b * b;
  }
  const double norms = std::sqrt(norm_a) * std::sqrt(norm_b);
  cosine += norms > 0 ? dot / norms : (norm_a == norm_b ? 1 : 0);
  const auto top_a = std::max_element(original.begin(), original.end());
  const auto top_b = std::max_element(quantized.begin(), quantized.end());
  same_top1 += top_a - original.begin() == top_b - quantized.begin() ? 1 : 0;
  const double log_a = log_sum_exp(original, *top_a);
  const double log_b = log_sum_exp(quantized, *top_b);
  double divergence = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const double log_p = double{original[i]} - log_a;
    divergence += std::exp(log_p) * (log_p - (double{quantized[i]} - log_b));
  }
  kl += std::max(0.0, divergence);  // rounding can leave -1e-17
  ++positions;
}

void OutputError::add(const Tensor& original, const Tensor& quantized) {
  const auto a = original.values<float>();
  const auto b = quantized.values<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = double{a[i]} - double{b[i]};
    difference += d * d;
    size += double{a[i]} * double{a[i]};
  }
  rows += original.dim(0);
}

double OutputError::relative() const { return size > 0 ? std::sqrt(difference / size) : 0; }

double prefix_agreement(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const std::size_t longer = std::max(a.size(), b.size());
  if (longer == 0) {
    return 1;
  }
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<double>(end - a.begin()) / static_cast<double>(longer);
}

}  // namespace octavo::pipeline
