// CRC-32 of PNG's annex D, and files that are damaged otherwise given the sums that let a decoder read on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace octavo::test {

inline std::uint32_t crc32(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t value = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < size; ++i) {
    value ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? 0xEDB88320U ^ value >> 1 : value >> 1;
  }
  return ~value;
}

/// The sum of each chunk that lies in `png` whole. What is no PNG stays as it is.
inline void mend_checksums(std::vector<std::uint8_t>& png) {
  if (png.size() < 8 || png[0] != 0x89 || png[1] != 'P') return;
  for (std::size_t at = 8; png.size() - at >= 12;) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | png[at + i];
    if (length > png.size() - at - 12) return;
    const std::uint32_t sum = crc32(png.data() + at + 4, length + 4);
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
}

}  // namespace octavo::test
