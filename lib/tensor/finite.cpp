// NaN and infinity are what has an exponent of ones alone, in every format of IEEE 754 and in bfloat16.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>

#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

namespace {

constexpr std::int64_t kBlock = 1024;          // looked at without a branch
constexpr std::int64_t kWorthAThread = 65536;  // values: some 10 us

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
std::optional<std::int64_t> first_of(const std::byte* values, std::int64_t count, Bits exponent) {
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(Bits));
  std::atomic<std::int64_t> first{count};
  parallel_for((count + kBlock - 1) / kBlock, kWorthAThread / kBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t at = block * kBlock;
      const std::int64_t length = std::min(kBlock, count - at);
      if (!any_of(values + at * kSize, length, exponent)) continue;
      std::int64_t i = at;
      while (!any_of(values + i * kSize, 1, exponent)) ++i;
      std::int64_t seen = first.load();
      while (i < seen && !first.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  return first < count ? std::optional(first.load()) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> first_not_finite(const Tensor& x) {
  if (!x.defined() || x.is_meta()) return std::nullopt;
  const Tensor dense = x.contiguous();
  const auto* values = static_cast<const std::byte*>(dense.raw());
  switch (dense.dtype()) {
    case DType::f32:
      return first_of<std::uint32_t>(values, dense.numel(), 0x7F800000U);
    case DType::bf16:
      return first_of<std::uint16_t>(values, dense.numel(), 0x7F80U);
    case DType::f16:
      return first_of<std::uint16_t>(values, dense.numel(), 0x7C00U);
    default:
      return std::nullopt;
  }
}

}  // namespace octavo
