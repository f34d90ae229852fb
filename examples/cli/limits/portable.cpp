// What the compiler makes of plain loops for the processor that it builds for.
#include <bit>

#include "kernels.hpp"

namespace limits {

namespace {
volatile float factor = 0.5F, addend = 1.0F, float_sink;
volatile std::uint64_t word_sink;
}  // namespace

void portable_f32(std::int64_t rounds) {
  const float x = factor;
  const float y = addend;
  float sums[32] = {};
  for (std::int64_t round = 0; round < rounds; ++round)
    for (float& sum : sums) sum = sum * x + y;
  for (const float sum : sums) float_sink = sum;
}

void portable_exp(std::int64_t rounds) {
  float x[32], sums[32] = {};
  for (std::size_t i = 0; i < 32; ++i) x[i] = -factor * static_cast<float>(i);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < 32; ++i) {
      const float shifted = x[i] * kLog2E + kRounder;
      const float f = x[i] * kLog2E - (shifted - kRounder);
      float p = kExp2[5];
      for (std::size_t term = 5; term-- > 0;) p = p * f + kExp2[term];
      const std::uint32_t n = std::bit_cast<std::uint32_t>(shifted) << 23U;
      sums[i] += std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + n);
    }
    for (float& each : x) each += 1e-30F;  // no round is the same as the one before
  }
  for (const float sum : sums) float_sink = sum;
}

void portable_read(const std::byte* memory, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(memory);
  std::uint64_t sums[32] = {};
  for (std::size_t i = 0; i < bytes / 8; i += 32)
    for (std::size_t j = 0; j < 32; ++j) sums[j] += words[i + j];
  for (const std::uint64_t sum : sums) word_sink = sum;
}

}  // namespace limits
