// NaN and infinity are what has an exponent of ones alone, in every format of IEEE 754 and in bfloat16.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>

#include "octavo/tensor.hpp"
#include "runs.hpp"

namespace octavo {

namespace {

constexpr std::int64_t kBlock = 1024;  // looked at without a branch

template <class Bits>
bool any_of(const std::byte* values, std::int64_t count, Bits exponent) {
  Bits found = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, values + i * static_cast<std::int64_t>(sizeof(Bits)), sizeof bits);
    found = static_cast<Bits>(found | ((bits & exponent) == exponent ? 1U : 0U));
  }
  return found != 0;
}

template <class Bits>
std::optional<std::int64_t> first_of(const Tensor& x, Bits exponent) {
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(Bits));
  const auto* values = static_cast<const std::byte*>(x.raw());
  std::atomic<std::int64_t> first{x.numel()};
  Runs(x).for_pieces(kBlock, [&](std::int64_t index, std::int64_t offset, std::int64_t count) {
    if (index >= first.load(std::memory_order_relaxed)) return;
    if (!any_of(values + offset * kSize, count, exponent)) return;
    for (; !any_of(values + offset * kSize, 1, exponent); ++offset) ++index;
    std::int64_t seen = first.load();
    while (index < seen && !first.compare_exchange_weak(seen, index)) {
    }
  });
  return first < x.numel() ? std::optional(first.load()) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> first_not_finite(const Tensor& x) {
  if (!x.defined() || x.is_meta()) return std::nullopt;
  switch (x.dtype()) {
    case DType::f32:
      return first_of<std::uint32_t>(x, 0x7F800000U);
    case DType::bf16:
      return first_of<std::uint16_t>(x, 0x7F80U);
    case DType::f16:
      return first_of<std::uint16_t>(x, 0x7C00U);
    default:
      return std::nullopt;
  }
}

}  // namespace octavo
