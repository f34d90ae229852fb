#include "elementwise.hpp"

#include <bit>

// Sanitizers run before the resolvers of clones may.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define OCTAVO_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define OCTAVO_CLONES
#endif

namespace octavo::model {

namespace {

/// exp(x) of x <= 0, without a branch, so that loops become vectors. The same reduction and polynomial as
/// lib/attention/kernels/exp.hpp, which says where they are from; here, too, 0 below -126 ln 2.
inline float exp_not_positive(float x) {
  constexpr float kSmallest = -87.33654F;
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to whole numbers
  const float shifted = x * 1.44269504F + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 0x1.6a241ap-10F;
  p = p * r + 0x1.1239f2p-7F;
  p = p * r + 0x1.5558f2p-5F;
  p = p * r + 0x1.555492p-3F;
  p = p * r + 0x1.fffffcp-2F;
  p = p * (r * r) + r + 1.0F;
  const float e = p * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
  return x < kSmallest ? 0.0F : e;
}

}  // namespace

OCTAVO_CLONES
void silu_multiply(float* gate, const float* up, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gate[i];
    // Of the magnitude, which cannot overflow: sigmoid(g) is 1 / (1 + e) or e / (1 + e).
    const float e = exp_not_positive(g < 0 ? g : -g);
    gate[i] = g * ((g < 0 ? e : 1.0F) / (1.0F + e)) * up[i];
  }
}

}  // namespace octavo::model
