#include "scales.hpp"

#include <algorithm>
#include <cmath>

#include "octavo/parallel.hpp"

namespace octavo::quant {
namespace {

constexpr float kFloor = 1.1920929e-07F;  // float32 epsilon, as compressed-tensors
constexpr int kShrinkSteps = 20;          // grid 100, maxshrink 0.2
constexpr float kNorm = 2.4F;

float round_to(float value, DType dtype) {
  if (dtype == DType::bf16) return to_float(to_bfloat16(value));
  if (dtype != DType::f16) return value;
  constexpr float kLeastNormal = 0x1p-14F;
  constexpr float kStepBelow = 0x1p-24F;
  return value < kLeastNormal ? std::ceil(value / kStepBelow) * kStepBelow : to_float(to_float16(value));
}

/// Half of the range 127 - (-128) divides, not 127.
float scale_of(float absmax, DType dtype) { return round_to(std::max(absmax / 127.5F, kFloor), dtype); }

double error_of(const float* w, std::int64_t columns, float scale) {
  double sum = 0;
  for (std::int64_t k = 0; k < columns; ++k) {
    sum += std::pow(std::abs(w[k] - quantize_value(w[k], scale) * scale), kNorm);
  }
  return sum;
}

float best_scale(const float* w, std::int64_t columns, float absmax, DType dtype) {
  float best = scale_of(absmax, dtype);
  double least = error_of(w, columns, best);
  for (int i = 1; i < kShrinkSteps; ++i) {
    const auto shrink = static_cast<float>(1.0 - i / 100.0);
    const float scale = scale_of(absmax * shrink, dtype);
    const double error = error_of(w, columns, scale);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

}  // namespace

std::vector<float> channel_scales(const float* w, std::int64_t rows, std::int64_t columns, ScaleObserver observer,
                                  DType dtype, const std::string& who, std::int64_t first_row) {
  std::vector<float> scales(static_cast<std::size_t>(rows));
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float* row = w + n * columns;
      float absmax = 0;
      for (std::int64_t k = 0; k < columns; ++k) absmax = std::max(absmax, std::abs(row[k]));
      const float scale =
          observer == ScaleObserver::mse ? best_scale(row, columns, absmax, dtype) : scale_of(absmax, dtype);
      if (!std::isfinite(scale)) {
        throw Error(ErrorCode::invalid_argument, who + ": the scale of row " + std::to_string(first_row + n) +
                                                     " does not fit in " + dtype_name(dtype) +
                                                     "; save the model as f32 or bf16");
      }
      scales[static_cast<std::size_t>(n)] = scale;
    }
  });
  return scales;
}

void round_to_nearest(const float* w, std::int64_t rows, std::int64_t columns, const std::vector<float>& scales,
                      std::int8_t* q) {
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float scale = scales[static_cast<std::size_t>(n)];
      for (std::int64_t i = n * columns; i < (n + 1) * columns; ++i) {
        q[i] = static_cast<std::int8_t>(quantize_value(w[i], scale));
      }
    }
  });
}

void subtract_dequantized(const float* w, std::int64_t rows, std::int64_t columns, const std::vector<float>& scales,
                          const std::int8_t* q, float* difference) {
  parallel_for(rows, 1 + (std::int64_t{1} << 15) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const float scale = scales[static_cast<std::size_t>(n)];
      for (std::int64_t i = n * columns; i < (n + 1) * columns; ++i) {
        difference[i] = w[i] - static_cast<float>(q[i]) * scale;
      }
    }
  });
}

}  // namespace octavo::quant
