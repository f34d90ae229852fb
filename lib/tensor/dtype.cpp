#include <bit>

#include "octavo/tensor.hpp"

namespace octavo {

const char* dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::s8:
      return "s8";
    case DType::u8:
      return "u8";
    case DType::s32:
      return "s32";
    case DType::i64:
      return "i64";
  }
  return "unknown";
}

float to_float(BFloat16 value) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

BFloat16 to_bfloat16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U)  // NaN: keep it one, whatever the rounding would carry
    return {static_cast<std::uint16_t>((bits >> 16) | 0x0040U)};
  const std::uint32_t rounding = 0x7FFFU + ((bits >> 16) & 1U);  // ties to even
  return {static_cast<std::uint16_t>((bits + rounding) >> 16)};
}

float to_float(Float16 value) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  std::uint32_t mantissa = value.bits & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21U;  // denormal: normalise
  mantissa = (mantissa << shift) & 0x3FFU;
  return std::bit_cast<float>(sign | ((113U - shift) << 23) | (mantissa << 13));
}

Float16 to_float16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<std::uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU))};
  if (magnitude >= 0x477FF000U) return {static_cast<std::uint16_t>(sign | 0x7C00U)};  // rounds beyond 65504
  if (magnitude < 0x33000001U) return {sign};                                         // at most half the least denormal
  std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
  const auto exponent = static_cast<int>(magnitude >> 23) - 127;
  // Bits to drop: 13 for a normal number, more the deeper a denormal lies.
  const int drop = exponent >= -14 ? 13 : 13 + (-14 - exponent);
  const std::uint32_t half = 1U << (drop - 1);
  const std::uint32_t rest = mantissa & ((1U << drop) - 1U);
  mantissa >>= drop;
  if (rest > half || (rest == half && (mantissa & 1U) != 0)) ++mantissa;
  // A normal number keeps its leading 1 in `mantissa`, which the addition carries into the exponent field.
  const std::uint32_t field = exponent >= -14 ? static_cast<std::uint32_t>(exponent + 14) << 10 : 0U;
  return {static_cast<std::uint16_t>(sign | (field + mantissa))};
}

}  // namespace octavo
