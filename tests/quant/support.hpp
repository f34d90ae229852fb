/// Layers, inputs and independent float64 arithmetic for the tests of quantization.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "octavo/quant.hpp"
#include "octavo/quantize.hpp"
#include "octavo/tensor.hpp"

namespace quant_test {

using octavo::DType;
using octavo::Tensor;

inline Tensor random(std::int64_t rows, std::int64_t columns, unsigned seed, float spread = 1.0F) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  Tensor t = Tensor::empty(DType::f32, {rows, columns});
  for (float& value : t.mutable_values<float>()) value = normal(engine);
  return t;
}

/// Rows whose columns share `rank` hidden directions, with some noise of their own and uneven power.
inline Tensor correlated(std::int64_t rows, std::int64_t columns, unsigned seed, std::int64_t rank,
                         float noise = 0.1F) {
  const Tensor hidden = random(rows, rank, seed);
  const Tensor mixing = random(rank, columns, seed + 1);
  Tensor x = random(rows, columns, seed + 2, noise);
  auto* out = x.mutable_data<float>();
  for (std::int64_t t = 0; t < rows; ++t) {
    for (std::int64_t k = 0; k < columns; ++k) {
      float sum = out[t * columns + k];
      for (std::int64_t r = 0; r < rank; ++r)
        sum += hidden.data<float>()[t * rank + r] * mixing.data<float>()[r * columns + k];
      out[t * columns + k] = sum * (0.2F + static_cast<float>((k * 7) % 11) / 5.0F);
    }
  }
  return x;
}

/// 2 X^T X in float64, rounded once.
inline Tensor hessian_of(const Tensor& x) {
  const std::int64_t k = x.dim(1);
  Tensor h = Tensor::empty(DType::f32, {k, k});
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) {
      double sum = 0;
      for (std::int64_t t = 0; t < x.dim(0); ++t)
        sum += double{x.data<float>()[t * k + i]} * double{x.data<float>()[t * k + j]};
      h.mutable_data<float>()[i * k + j] = static_cast<float>(2 * sum);
    }
  }
  return h;
}

/// tr((W-Q) H (W-Q)^T) by the definition, in float64.
inline double objective(const Tensor& w, const octavo::QuantizedLayer& layer, const Tensor& h) {
  const std::int64_t k = w.dim(1);
  double total = 0;
  std::vector<double> d(static_cast<std::size_t>(k));
  for (std::int64_t n = 0; n < w.dim(0); ++n) {
    for (std::int64_t i = 0; i < k; ++i) {
      d[static_cast<std::size_t>(i)] =
          double{w.data<float>()[n * k + i]} -
          double{layer.weight.data<std::int8_t>()[n * k + i] * layer.scales.data<float>()[n]};
    }
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t j = 0; j < k; ++j) {
        total += d[static_cast<std::size_t>(i)] * double{h.data<float>()[i * k + j]} * d[static_cast<std::size_t>(j)];
      }
    }
  }
  return total;
}

inline octavo::QuantizedLayer quantize(const Tensor& w, const Tensor& h, const octavo::GptqOptions& options) {
  return octavo::quantize_layer(w, octavo::PreparedHessian(h.clone(), options, "inputs"), options, "layer");
}

inline std::vector<std::int8_t> integers(const octavo::QuantizedLayer& layer) {
  const auto values = layer.weight.values<std::int8_t>();
  return {values.begin(), values.end()};
}

inline double share_equal(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) same += a[i] == b[i] ? 1U : 0U;
  return static_cast<double>(same) / static_cast<double>(std::max(a.size(), b.size()));
}

using test::message_of;

}  // namespace quant_test
