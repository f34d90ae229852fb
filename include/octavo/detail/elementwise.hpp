/// Loops over plain floats, one clone per instruction set, picked when the program loads. Not for direct use.
#pragma once

#include <cstdint>

namespace octavo::detail {

/// to[i] += from[i]
void add(float* to, const float* from, std::int64_t count);
/// gate[i] = silu(gate[i]) * up[i]
void silu_multiply(float* gate, const float* up, std::int64_t count);
/// x[i] = gelu(x[i])
void gelu(float* x, std::int64_t count);
/// y[i] = erf(x[i])
void erf(const float* x, std::int64_t count, float* y);
/// Sum of the squares, in an order that depends on the count alone.
float sum_of_squares(const float* x, std::int64_t count);
/// y[i] = x[i] * factor * weight[i]
void scale(const float* x, float factor, const float* weight, std::int64_t count, float* y);
/// Turns the pairs (v[i], v[half + i]) by angles given as cos and sin [2 * half].
void rotate_half(float* v, const float* cosine, const float* sine, std::int64_t half);

}  // namespace octavo::detail
