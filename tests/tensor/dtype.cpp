// 16-bit floats against their definition: a value is sign * significand * 2^exponent, and rounding picks the nearest.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "catch.hpp"
#include "octavo/tensor.hpp"

using namespace octavo;

namespace {

/// What the bits of a small float mean, by IEEE 754's definition.
double meaning(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int field = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
  if (field == (1 << exponent_bits) - 1)
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (field == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp((1 << mantissa_bits) + mantissa, field - bias - mantissa_bits);
}

bool same(float a, double b) { return (std::isnan(a) && std::isnan(b)) || double{a} == b; }

/// `bits` is the nearest of its format to `value`, and the even one of two that are equally near.
void check_nearest(float value, std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  CAPTURE(value, bits);
  const double got = meaning(bits, exponent_bits, mantissa_bits);
  if (std::isnan(value)) {
    CHECK(std::isnan(got));
    return;
  }
  CHECK(std::signbit(got) == std::signbit(value));
  // Beyond the largest finite number lies, for rounding, what the next exponent would have begun with.
  const auto place = [&](std::uint16_t b) {
    const double m = meaning(b, exponent_bits, mantissa_bits);
    return std::isinf(m) ? std::copysign(std::ldexp(1.0, 1 << (exponent_bits - 1)), m) : m;
  };
  if (std::isinf(value)) {
    CHECK(got == double{value});
    return;
  }
  const double error = std::fabs(place(bits) - double{value});
  const auto magnitude = static_cast<std::uint16_t>(bits & 0x7FFFU);
  const auto sign = static_cast<std::uint16_t>(bits & 0x8000U);
  for (const int step : {-1, 1}) {
    const int other = magnitude + step;
    if (other < 0 || std::isnan(meaning(static_cast<std::uint16_t>(other), exponent_bits, mantissa_bits))) continue;
    const double distance = std::fabs(place(static_cast<std::uint16_t>(sign | other)) - double{value});
    if (std::isinf(got) && std::fabs(value) >= std::fabs(place(bits))) continue;  // far beyond: infinity it is
    CHECK(error <= distance);
    if (error == distance) CHECK((bits & 1U) == 0);
  }
}

}  // namespace

TEST_CASE("every 16-bit float widens to what its bits mean") {
  std::int64_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    wrong += same(to_float(Float16{b}), meaning(b, 5, 10)) ? 0 : 1;
    wrong += same(to_float(BFloat16{b}), meaning(b, 8, 7)) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("narrowing what was widened gives the bits back") {
  std::int64_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    const float half = to_float(Float16{b});
    const float brain = to_float(BFloat16{b});
    wrong += std::isnan(half) ? !std::isnan(to_float(to_float16(half))) : to_float16(half).bits != b;
    wrong += std::isnan(brain) ? !std::isnan(to_float(to_bfloat16(brain))) : to_bfloat16(brain).bits != b;
  }
  CHECK(wrong == 0);
}

TEST_CASE("narrowing rounds to the nearest, ties to even") {
  std::mt19937 random(7);
  std::vector<float> values{0.0F,
                            -0.0F,
                            1.0F,
                            65504.0F,
                            65519.9F,
                            65520.0F,
                            -65520.0F,
                            1e-8F,
                            5.9604645e-8F,
                            2.9802322e-8F,
                            2.9802326e-8F,
                            3.4e38F,
                            std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::denorm_min(),
                            std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(),
                            std::bit_cast<float>(0x7F800001U)};
  for (int i = 0; i < 4000; ++i) values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  for (int i = 0; i < 4000; ++i)  // in float16's range, its denormals included
    values.push_back(
        std::ldexp(static_cast<float>(random()) / 4294967296.0F - 0.5F, static_cast<int>(random() % 42) - 25));
  for (int i = 0; i < 500; ++i) {  // exactly between two neighbours
    const auto b = static_cast<std::uint16_t>(random() % 0x7BFF);
    values.push_back(static_cast<float>((meaning(b, 5, 10) + meaning(static_cast<std::uint16_t>(b + 1), 5, 10)) / 2));
    const auto c = static_cast<std::uint16_t>(random() % 0x7F00);
    values.push_back(static_cast<float>((meaning(c, 8, 7) + meaning(static_cast<std::uint16_t>(c + 1), 8, 7)) / 2));
  }
  for (const float value : values) {
    check_nearest(value, to_float16(value).bits, 5, 10);
    check_nearest(value, to_bfloat16(value).bits, 8, 7);
  }
}

TEST_CASE("tensors convert by element, and refuse what would need a scale or might not fit") {
  const Tensor f32 = Tensor::from<float>(std::vector<float>{1.0F, -2.5F, 0.1F}, {3});
  const Tensor bf16 = f32.to(DType::bf16);
  CHECK(bf16.dtype() == DType::bf16);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(bf16.values<BFloat16>()[i].bits == to_bfloat16(f32.values<float>()[i]).bits);
  CHECK(bf16.to(DType::f32).values<float>()[1] == -2.5F);
  const Tensor s8 = Tensor::from<std::int8_t>(std::vector<std::int8_t>{-128, 0, 127}, {3});
  CHECK(s8.to(DType::s32).values<std::int32_t>()[0] == -128);
  CHECK(s8.to(DType::f32).values<float>()[2] == 127.0F);
  CHECK_THROWS_WITH(f32.to(DType::s8),
                    "a tensor of f32 is not converted to s8: that is quantization, and needs a scale");
  CHECK_THROWS_WITH(s8.to(DType::s32).to(DType::s8), "a tensor of s32 may not fit in s8");
}
