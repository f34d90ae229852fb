// How far products of floats are from float64, by engine and math, at the K of the published models.
//
//     float_error_bench
//
// Of each: the root mean square and the largest error of 128 x 128 results by rows of normal values and by rows of one
// sign with a heavy tail, in units of sqrt(sum (x w)^2), and the largest in units of sum |x w|. "two products" is what
// two bf16 would make of x: float32's precision, of x rounded to their sum.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>

#include "octavo/gemm.hpp"

namespace {

using octavo::DType;
using octavo::FloatMath;
using octavo::Linear;
using octavo::Tensor;

constexpr std::int64_t kSide = 128;

float rounded_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U);
}

Tensor in_two_bf16(const Tensor& x) {
  Tensor sums = x.clone();
  for (float& value : sums.mutable_values<float>()) {
    const float high = rounded_to_bf16(value);
    value = high + rounded_to_bf16(value - high);  // exact: 16 bits of significand
  }
  return sums;
}

void report(const std::string& name, const Tensor& y, const Tensor& x, const Tensor& w) {
  const std::int64_t k = x.dim(1);
  double squares = 0, largest = 0, largest_of_sum = 0;
  for (std::int64_t i = 0; i < kSide; ++i)
    for (std::int64_t j = 0; j < kSide; ++j) {
      double sum = 0, size = 0, square = 0;
      for (std::int64_t c = 0; c < k; ++c) {
        const double term = double{x.data<float>()[i * k + c]} * double{w.data<float>()[j * k + c]};
        sum += term;
        size += std::fabs(term);
        square += term * term;
      }
      const double error = std::fabs(double{y.data<float>()[i * kSide + j]} - sum);
      squares += error * error / square;
      largest = std::max(largest, error / std::sqrt(square));
      largest_of_sum = std::max(largest_of_sum, error / size);
    }
  std::printf("  %-24s rms %.1e  largest %.1e  largest of sum |x w| %.1e = 2^%.1f\n", name.c_str(),
              std::sqrt(squares / (kSide * kSide)), largest, largest_of_sum, std::log2(largest_of_sum));
}

}  // namespace

int main() {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal;
  for (const std::int64_t k : {192, 1280, 2048, 3420, 11008})
    for (const bool heavy : {false, true}) {
      Tensor x = Tensor::empty(DType::f32, {kSide, k}), w = Tensor::empty(DType::f32, {kSide, k});
      for (float& value : x.mutable_values<float>())
        value = heavy ? std::fabs(normal(engine)) * std::exp(1.5F * normal(engine)) : normal(engine);
      for (float& value : w.mutable_values<float>()) value = 0.02F * normal(engine);
      const Tensor stored = w.to(DType::bf16), wide = stored.to(DType::f32);
      std::printf("K %lld, x %s\n", static_cast<long long>(k), heavy ? "of one sign, heavy-tailed" : "normal");
      for (const octavo::BackendInfo& backend : octavo::float_backends()) {
        if (!backend.available) continue;
        octavo::force_float_backend(backend.name);
        const Linear exact = Linear::floating("float_error_bench", stored, {});
        const Linear rounding = Linear::floating("float_error_bench", stored, {}, FloatMath::bf16);
        report(backend.name + ", f32", exact.forward(x), x, wide);
        if (backend.name == "amx_bf16") report("two products", exact.forward(in_two_bf16(x)), x, wide);
        if (backend.name == "amx_bf16") report(backend.name + ", bf16", rounding.forward(x), x, wide);
      }
      octavo::force_float_backend("");
    }
  return 0;
}
