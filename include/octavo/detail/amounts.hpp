/// Amounts in messages. Not for direct use.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace octavo::detail {

/// "12.3 MB", of 10^6 bytes.
inline std::string megabytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

/// "0.012 s".
inline std::string seconds(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f s", value);
  return text.data();
}

}  // namespace octavo::detail
