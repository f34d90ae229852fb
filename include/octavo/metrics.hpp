/// @file
/// Numbers that say how far two runs of the same input are apart: an original's and a quantized model's, or a cached
/// and an uncached one's. Everything is accumulated in double.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "octavo/tensor.hpp"

namespace octavo {

/// Two models' logits at the same positions. Sums over positions; the functions below give means.
struct LogitComparison {
  static constexpr std::int64_t kTop = 5;

  double cosine = 0;
  double kl = 0;  ///< of KL(original || quantized), nats
  std::int64_t same_top1 = 0;
  double shared_top5 = 0;   ///< of the share of the original's five most likely tokens among the quantized model's five
  double original_nll = 0;  ///< of -ln p(target), nats
  double quantized_nll = 0;
  std::int64_t positions = 0;
  std::int64_t targets = 0;  ///< positions that had a target

  /// One position: logits[vocab] of both. `target` is the token that came next, for perplexity. Of equal logits the
  /// lower id counts as the more likely one; with fewer than five tokens "five" is all of them.
  /// @throws Error  shape_mismatch: different lengths, or none; invalid_argument: a target outside them.
  void add(std::span<const float> original, std::span<const float> quantized,
           std::optional<std::int32_t> target = std::nullopt);
  void add(const LogitComparison& other);

  // Means; 0 without positions (perplexities: without targets).
  double mean_cosine() const noexcept;
  double mean_kl() const noexcept;
  double top1_agreement() const noexcept;
  double top5_agreement() const noexcept;
  double original_perplexity() const noexcept;   ///< exp of the mean -ln p(target)
  double quantized_perplexity() const noexcept;  ///< of the same targets
};

/// ||other - reference|| / ||reference|| in the Euclidean norm: 0 for equal values, infinity when the reference alone
/// is all zero.
/// @throws Error  shape_mismatch when the sizes differ.
double relative_error(std::span<const float> reference, std::span<const float> other);
/// The same of two f32 tensors. @throws Error  shape_mismatch when the shapes differ.
double relative_error(const Tensor& reference, const Tensor& other);

/// No NaN, no infinity.
bool all_finite(std::span<const float> values);

/// ||a - b|| / ||a|| over all rows seen.
struct OutputError {
  double difference = 0, size = 0;  ///< squared sums
  std::int64_t rows = 0;
  /// f32 [L, hidden] each.
  /// @throws Error  shape_mismatch when the shapes differ.
  void add(const Tensor& original, const Tensor& quantized);
  double relative() const noexcept;  ///< 0 for two zero tensors, infinity when only the original is zero
};

/// For people: four significant digits.
std::string number_text(double value);

/// Tokens that two answers begin with in common.
std::int64_t identical_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b);
/// The same over the longer length; 1 for two empty answers.
double prefix_agreement(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

}  // namespace octavo
