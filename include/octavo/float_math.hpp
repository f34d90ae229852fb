/// @file
/// How precisely products of floats are computed. Chosen per layer (Linear), per call (AttentionOptions) or per tower
/// of a model (ModelOptions).
#pragma once

#include <cstdint>

namespace octavo {

/// What the factors of a product are rounded to before they are multiplied; sums are float32 in both.
///   f32   nothing is rounded: float32's precision. The default.
///   bf16  factors are rounded to bf16 (nearest, ties to even; 8 bits of significand), where the processor multiplies
///         bf16 faster. In a linear x is rounded: a result is then off by at most 2^-8 sum |x w|, besides the sums' own
///         rounding. In attention the scaled queries, keys, weights and values are: docs/attention.md has the error.
/// Where the processor has no such instructions, bf16 computes as f32 does, which is more exact. So do products of few
/// rows (8; over int8 weights, 128 with AVX512-VNNI), and linears whose weights are f32 or f16.
enum class FloatMath : std::uint8_t { f32, bf16 };

/// "f32", "bf16".
constexpr const char* float_math_name(FloatMath math) noexcept { return math == FloatMath::bf16 ? "bf16" : "f32"; }

}  // namespace octavo
