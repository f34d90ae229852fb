/// silu, erf and gelu of single floats, without a branch, so that loops over them become vectors. Not for direct use.
//
// What includes this is compiled with -ffp-contract=off, so that every file and instruction set gets the same bits: the
// epilogue of a product those of the loop over its results.
#pragma once

#include <bit>
#include <cstdint>

#include "octavo/detail/exp.hpp"

namespace octavo::detail {

namespace {

// As loops.hpp of attention's kernels describes an instruction set.
struct SingleFloat {
  using Vector = float;
  static float broadcast(float value) { return value; }
  static float add(float a, float b) { return a + b; }
  static float subtract(float a, float b) { return a - b; }
  static float multiply(float a, float b) { return a * b; }
  static float multiply_add(float a, float b, float c) { return a * b + c; }
  static float power_of_two(float shifted) {
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23U) + 0x3F800000U);
  }
  static float zero_below(float y, float x, float bound) { return x < bound ? 0.0F : y; }
};

// Within 4 ulp down to -87.33, and 0 below, where it is above -1.1e-36. NaN gives NaN.
inline float silu(float x) {
  // Of the magnitude, which cannot overflow: sigmoid(x) is 1 / (1 + e) or e / (1 + e).
  const float e = exponential<SingleFloat>(x < 0 ? x : -x);
  return x * ((x < 0 ? e : 1.0F) / (1.0F + e));
}

// Within 1.2 ulp. Up to 0.92, x + x p(x^2); beyond, 1 - exp(q(|x|)), where q is the logarithm of 1 - erf. Both are
// polynomials fitted to the least largest relative error of erf over their range (Lawson's iteration): 0.01 ulp for p,
// 0.03 ulp for q; the rest is rounding. NaN gives NaN.
inline float erf(float x) {
  const float magnitude = x < 0 ? -x : x;
  const float z = x * x;
  float p = 0x1.5f953cp-14F;
  p = p * z + -0x1.ab105ep-11F;
  p = p * z + 0x1.54df1ap-8F;
  p = p * z + -0x1.b810e8p-6F;
  p = p * z + 0x1.ce2e24p-4F;
  p = p * z + -0x1.812744p-2F;
  p = p * z + 0x1.06eba8p-3F;  // 2 / sqrt(pi) - 1
  const float near_zero = x + x * p;
  const float t = magnitude > 3.92F ? 3.92F : magnitude;  // from there on erf rounds to 1
  float q = 0x1.9ae93ap-13F;
  q = q * t + -0x1.8ee192p-9F;
  q = q * t + 0x1.6c2a88p-6F;
  q = q * t + -0x1.a9b436p-4F;
  q = q * t + -0x1.463cc0p-1F;
  q = q * t + -0x1.20af5ap+0F;
  q = q * t + -0x1.9a59bcp-13F;
  const float far = 1.0F - exponential<SingleFloat>(q);
  return magnitude < 0.92F ? near_zero : x < 0 ? -far : far;
}

// The exact form: x Phi(x).
inline float gelu(float x) { return 0.5F * x * (1.0F + erf(x * 0.70710678118654752F)); }

}  // namespace

}  // namespace octavo::detail
