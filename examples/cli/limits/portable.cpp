// What the compiler makes of plain loops for the processor that it builds for.
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

void portable_read(const std::byte* memory, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(memory);
  std::uint64_t sums[32] = {};
  for (std::size_t i = 0; i < bytes / 8; i += 32)
    for (std::size_t j = 0; j < 32; ++j) sums[j] += words[i + j];
  for (const std::uint64_t sum : sums) word_sink = sum;
}

}  // namespace limits
