#include "cache_rows.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "octavo/detail/clones.hpp"

namespace octavo::attention_kernels {

// As to_bfloat16, which is a call for every number.
OCTAVO_CLONES void row_to_bf16(const float* row, std::int64_t count, BFloat16* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(row[i]);
    const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16U) & 1U);
    to[i] = {static_cast<std::uint16_t>((nan ? bits | 0x00400000U : rounded) >> 16U)};
  }
}

OCTAVO_CLONES float row_to_s8(const float* row, std::int64_t count, std::int8_t* to) {
  constexpr std::uint32_t kMagnitude = 0x7FFFFFFFU;  // all but the sign; as integers, magnitudes are ordered
  constexpr std::uint32_t kInfinity = 0x7F800000U;   // and above it are the NaN
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(row[i]) & kMagnitude);
  if (largest >= kInfinity) {
    std::fill_n(to, count, std::int8_t{0});
    return std::numeric_limits<float>::quiet_NaN();
  }
  const float scale =
      std::max(std::bit_cast<float>(largest) / 127.0F, std::numeric_limits<float>::min());  // of zeros: any
  // Rounds to nearest, ties to even: adding 1.5 * 2^23 pushes the fraction out of the significand, and the number's low
  // byte is the integer's.
  constexpr float kPush = 12582912.0F;
  for (std::int64_t i = 0; i < count; ++i)
    to[i] = static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(row[i] / scale + kPush) & 0xFFU);
  return scale;
}

}  // namespace octavo::attention_kernels
