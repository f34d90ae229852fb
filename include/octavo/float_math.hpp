/// @file
/// How precisely products of floats are computed. Chosen per layer (Linear), per call (AttentionOptions) or per tower
/// of a model (ModelOptions).
#pragma once

#include <cstdint>

namespace octavo {

/// What the factors of a product are rounded to before they are multiplied; sums are float32 in all.
///   f32     nothing is rounded: float32's precision. By bf16 units a float32 is the sum of three bf16, exactly: three
///           products.
///   bf16    factors are rounded to bf16 (nearest, ties to even; 8 bits of significand). In a linear x is rounded, the
///           weight is bf16 or int8 already: a result is off by at most 2^-8 sum |x w|, besides the sums' own rounding;
///           typically by some 2^-10 sqrt(sum (x w)^2). In attention the scaled queries, keys, weights and values are:
///           docs/attention.md has the error.
///   bf16x2  in a linear, x becomes the sum of two bf16, off by at most 2^-17 |x|, and there are two products: a result
///           is off by at most 2^-17 sum |x w|, besides the sums' own rounding. Attention computes as with f32.
/// Where the processor has no such instructions, bf16 and bf16x2 compute as f32 does, which is more exact; without AMX,
/// bf16x2 does. So do products of few rows, and linears whose weights are f32 or f16.
enum class FloatMath : std::uint8_t { f32, bf16, bf16x2 };

/// "f32", "bf16", "bf16x2".
constexpr const char* float_math_name(FloatMath math) noexcept {
  return math == FloatMath::bf16 ? "bf16" : math == FloatMath::bf16x2 ? "bf16x2" : "f32";
}

}  // namespace octavo
