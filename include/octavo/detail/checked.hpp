/// Products of sizes that a caller or a file states: none may overflow on its way to an allocation. Not for direct use.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

namespace octavo::detail {

/// The product of sizes that are not negative; none where it exceeds int64.
constexpr std::optional<std::int64_t> checked_multiply(std::initializer_list<std::int64_t> sizes) noexcept {
  std::int64_t product = 1;
  bool overflow = false;
  for (const std::int64_t size : sizes) {
    if (size == 0) return 0;
    overflow = overflow || __builtin_mul_overflow(product, size, &product);
  }
  return overflow ? std::nullopt : std::optional(product);
}

}  // namespace octavo::detail
