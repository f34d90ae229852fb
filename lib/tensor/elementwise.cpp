#include "octavo/detail/elementwise.hpp"

#include "octavo/detail/activations.hpp"
#include "octavo/detail/clones.hpp"

namespace octavo::detail {

OCTAVO_CLONES
void add(float* to, const float* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

OCTAVO_CLONES
void silu_multiply(float* gate, const float* up, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) gate[i] = silu(gate[i]) * up[i];
}

OCTAVO_CLONES
void gelu(float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) x[i] = gelu(x[i]);
}

OCTAVO_CLONES
void erf(const float* x, std::int64_t count, float* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = erf(x[i]);
}

OCTAVO_CLONES
float sum_of_squares(const float* x, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;  // sums side by side: a fixed order that the compiler may vectorise
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * x[i + lane];
  double total = 0;
  for (const float lane : lanes) total += static_cast<double>(lane);
  for (; i < count; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return static_cast<float>(total);
}

OCTAVO_CLONES
void scale(const float* x, float factor, const float* weight, std::int64_t count, float* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * factor * weight[i];
}

OCTAVO_CLONES
void rotate_half(float* v, const float* cosine, const float* sine, std::int64_t half) {
  for (std::int64_t i = 0; i < half; ++i) {
    const float low = v[i];
    const float high = v[half + i];
    v[i] = low * cosine[i] - high * sine[i];
    v[half + i] = high * cosine[half + i] + low * sine[half + i];
  }
}

}  // namespace octavo::detail
