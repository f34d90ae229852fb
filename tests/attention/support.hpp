/// Tensors, messages and the plain formula for the tests of attention.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "octavo/attention.hpp"
#include "octavo/parallel.hpp"

namespace attention_test {

using octavo::DType;
using octavo::Shape;
using octavo::Tensor;

inline Tensor random(const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::empty(DType::f32, shape);
  for (float& value : t.mutable_values<float>()) value = normal(engine);
  return t;
}

template <class T>
std::vector<T> list(const Tensor& t) {
  const Tensor flat = t.contiguous();
  const auto values = flat.values<T>();
  return {values.begin(), values.end()};
}

/// Element of a tensor by its strides.
inline float at(const Tensor& t, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  const auto s = t.strides();
  return t.data<float>()[a * s[0] + b * s[1] + c * s[2] + d * s[3]];
}

/// What is added to the score of query i and key j in batch b and head h; -infinity hides.
using Bias = std::function<double(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j)>;
inline constexpr double kHidden = -std::numeric_limits<double>::infinity();

inline double everything(std::int64_t, std::int64_t, std::int64_t, std::int64_t) { return 0; }

inline Bias causal(std::int64_t past) {
  return [past](std::int64_t, std::int64_t, std::int64_t i, std::int64_t j) { return j <= past + i ? 0.0 : kHidden; };
}

/// Largest difference of `out` from softmax(scale q k^T + bias) v, written out in float64; NaN where one is NaN.
inline double worst_difference(const Tensor& out, const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                               const Bias& bias) {
  const std::int64_t group = q.dim(1) / k.dim(1);
  double worst = 0;
  std::vector<double> weight(static_cast<std::size_t>(k.dim(2)));
  std::vector<double> expected(static_cast<std::size_t>(q.dim(3)));
  for (std::int64_t b = 0; b < q.dim(0); ++b)
    for (std::int64_t h = 0; h < q.dim(1); ++h)
      for (std::int64_t i = 0; i < q.dim(2); ++i) {
        double largest = kHidden;
        for (std::int64_t j = 0; j < k.dim(2); ++j) {
          double score = 0;
          for (std::int64_t d = 0; d < q.dim(3); ++d)
            score += double{at(q, b, h, i, d)} * double{at(k, b, h / group, j, d)};
          weight[static_cast<std::size_t>(j)] = scale * score + bias(b, h, i, j);
          largest = std::max(largest, weight[static_cast<std::size_t>(j)]);
        }
        double sum = 0;
        std::fill(expected.begin(), expected.end(), 0.0);
        for (std::int64_t j = 0; j < k.dim(2) && largest != kHidden; ++j) {
          const double share = std::exp(weight[static_cast<std::size_t>(j)] - largest);
          sum += share;
          for (std::int64_t d = 0; d < q.dim(3); ++d)
            expected[static_cast<std::size_t>(d)] += share * double{at(v, b, h / group, j, d)};
        }
        for (std::int64_t d = 0; d < q.dim(3); ++d) {
          const double value = sum > 0 ? expected[static_cast<std::size_t>(d)] / sum : 0;
          const double difference = std::fabs(double{at(out, b, h, i, d)} - value);
          if (std::isnan(difference)) return difference;
          worst = std::max(worst, difference);
        }
      }
  return worst;
}

inline constexpr double kTolerance = 1e-5;  // float32 sums of a few hundred terms of size 1

using test::message_of;

}  // namespace attention_test
