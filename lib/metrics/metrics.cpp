#include "octavo/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "octavo/error.hpp"

namespace octavo {
namespace {

double log_sum_exp(std::span<const float> values, double maximum) {
  double sum = 0;
  for (const float value : values) sum += std::exp(double{value} - maximum);
  return maximum + std::log(sum);
}

double cosine_of(std::span<const float> x, std::span<const float> y) {
  double dot = 0;
  double norm_x = 0;
  double norm_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = x[i];
    const double b = y[i];
    dot += a * b;
    norm_x += a * a;
    norm_y += b * b;
  }
  const double norms = std::sqrt(norm_x) * std::sqrt(norm_y);
  return norms > 0 || std::isnan(norms) ? dot / norms : (norm_x == norm_y ? 1 : 0);
}

/// Ids of the most likely tokens, best first.
struct Top {
  std::array<std::size_t, LogitComparison::kTop> ids{};
  std::size_t count = 0;

  explicit Top(std::span<const float> logits) {
    for (std::size_t id = 0; id < logits.size(); ++id) {
      std::size_t place = count;
      while (place > 0 && logits[id] > logits[ids[place - 1]]) --place;
      if (place == ids.size()) continue;
      count = std::min(count + 1, ids.size());
      for (std::size_t i = count - 1; i > place; --i) ids[i] = ids[i - 1];
      ids[place] = id;
    }
  }
  bool holds(std::size_t id) const {
    const auto* const end = ids.begin() + count;
    return std::find(ids.begin(), end, id) != end;
  }
};

double mean(double sum, std::int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0; }

}  // namespace

void LogitComparison::add(std::span<const float> original, std::span<const float> quantized,
                          std::optional<std::int32_t> target) {
  if (original.size() != quantized.size() || original.empty())
    throw Error(ErrorCode::shape_mismatch,
                "metrics: " + std::to_string(original.size()) + " logits against " + std::to_string(quantized.size()) +
                    "; both models must have the same, non-empty vocabulary",
                ShapeDetail{"metrics", "", "quantized", 0, "vocab", static_cast<std::int64_t>(original.size()),
                            static_cast<std::int64_t>(quantized.size())});
  if (target && (*target < 0 || static_cast<std::size_t>(*target) >= original.size()))
    throw Error(ErrorCode::invalid_argument, "metrics: the target token " + std::to_string(*target) +
                                                 " is outside the " + std::to_string(original.size()) + " logits");
  cosine += cosine_of(original, quantized);
  const Top top_a(original);
  const Top top_b(quantized);
  same_top1 += top_a.ids[0] == top_b.ids[0] ? 1 : 0;
  std::int64_t shared = 0;
  for (std::size_t i = 0; i < top_a.count; ++i) shared += top_b.holds(top_a.ids[i]) ? 1 : 0;
  shared_top5 += static_cast<double>(shared) / static_cast<double>(top_a.count);

  const double log_a = log_sum_exp(original, original[top_a.ids[0]]);
  const double log_b = log_sum_exp(quantized, quantized[top_b.ids[0]]);
  double divergence = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const double log_p = double{original[i]} - log_a;
    divergence += std::exp(log_p) * (log_p - (double{quantized[i]} - log_b));
  }
  kl += divergence < 0 ? 0 : divergence;  // rounding can leave -1e-17; a NaN stays one
  ++positions;
  if (!target) return;
  original_nll += log_a - double{original[static_cast<std::size_t>(*target)]};
  quantized_nll += log_b - double{quantized[static_cast<std::size_t>(*target)]};
  ++targets;
}

void LogitComparison::add(const LogitComparison& other) {
  cosine += other.cosine;
  kl += other.kl;
  same_top1 += other.same_top1;
  shared_top5 += other.shared_top5;
  original_nll += other.original_nll;
  quantized_nll += other.quantized_nll;
  positions += other.positions;
  targets += other.targets;
}

double LogitComparison::mean_cosine() const noexcept { return mean(cosine, positions); }
double LogitComparison::mean_kl() const noexcept { return mean(kl, positions); }
double LogitComparison::top1_agreement() const noexcept { return mean(static_cast<double>(same_top1), positions); }
double LogitComparison::top5_agreement() const noexcept { return mean(shared_top5, positions); }
double LogitComparison::original_perplexity() const noexcept {
  return targets > 0 ? std::exp(mean(original_nll, targets)) : 0;
}
double LogitComparison::quantized_perplexity() const noexcept {
  return targets > 0 ? std::exp(mean(quantized_nll, targets)) : 0;
}

namespace {

/// Squared sums: of the differences, and of the reference.
struct SquaredError {
  double difference = 0, size = 0;

  void add(std::span<const float> reference, std::span<const float> other) {
    for (std::size_t i = 0; i < reference.size(); ++i) {
      const double d = double{reference[i]} - double{other[i]};
      difference += d * d;
      size += double{reference[i]} * double{reference[i]};
    }
  }
  double relative() const noexcept {
    if (difference == 0) return 0;
    return size > 0 || std::isnan(size) ? std::sqrt(difference / size) : std::numeric_limits<double>::infinity();
  }
};

ShapeDetail first_difference(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank()) return {"metrics", "", "other", -1, "rank", a.rank(), b.rank()};
  int d = 0;
  while (a[d] == b[d]) ++d;
  return {"metrics", "", "other", d, "dim " + std::to_string(d), a[d], b[d]};
}

void require_same_shape(const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return;
  throw Error(ErrorCode::shape_mismatch,
              "metrics: an output of " + a.shape().to_string() + " against one of " + b.shape().to_string(),
              first_difference(a.shape(), b.shape()));
}

}  // namespace

double relative_error(std::span<const float> reference, std::span<const float> other) {
  if (reference.size() != other.size())
    throw Error(ErrorCode::shape_mismatch,
                "metrics: " + std::to_string(reference.size()) + " values against " + std::to_string(other.size()),
                ShapeDetail{"metrics", "", "other", 0, "values", static_cast<std::int64_t>(reference.size()),
                            static_cast<std::int64_t>(other.size())});
  SquaredError error;
  error.add(reference, other);
  return error.relative();
}

double relative_error(const Tensor& reference, const Tensor& other) {
  require_same_shape(reference, other);
  return relative_error(reference.values<float>(), other.values<float>());
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

void OutputError::add(const Tensor& original, const Tensor& quantized) {
  require_same_shape(original, quantized);
  SquaredError error{difference, size};
  error.add(original.values<float>(), quantized.values<float>());
  difference = error.difference;
  size = error.size;
  rows += original.dim(0);
}

double OutputError::relative() const noexcept { return SquaredError{difference, size}.relative(); }

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::int64_t identical_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

double prefix_agreement(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const std::size_t longer = std::max(a.size(), b.size());
  return longer == 0 ? 1 : static_cast<double>(identical_prefix(a, b)) / static_cast<double>(longer);
}

}  // namespace octavo
