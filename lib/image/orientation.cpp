#include "orientation.hpp"

#include <cstddef>

namespace octavo::detail {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;

/// A TIFF file in memory; reads outside it give nothing.
class Tiff {
 public:
  Tiff(std::span<const std::uint8_t> bytes, bool little) : bytes_(bytes), little_(little) {}
  std::optional<std::uint32_t> read(std::size_t at, std::size_t width) const {
    if (at > bytes_.size() || bytes_.size() - at < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes_[at + (little_ ? width - 1 - i : i)];
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool little_;
};

/// Bytes of one number of the integer types that Pillow compares with 1 to 8; 0 for another type.
std::size_t width_of_type(std::uint32_t type) {
  switch (type) {
    case 6:  // signed byte
      return 1;
    case 3:  // short
    case 8:
      return 2;
    case 4:  // long
    case 9:
      return 4;
    default:
      return 0;
  }
}

}  // namespace

std::optional<int> exif_orientation(std::span<const std::uint8_t> exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  const auto starts_with = [&](std::string_view text) {
    return std::string_view(reinterpret_cast<const char*>(exif.data()), exif.size()).starts_with(text);
  };
  while (starts_with(kPrefix)) exif = exif.subspan(kPrefix.size());
  // Some writers put the 42 of the header in the other byte order.
  const bool little = starts_with(std::string_view("II*\0", 4)) || starts_with(std::string_view("II\0*", 4));
  const bool big = starts_with(std::string_view("MM\0*", 4)) || starts_with(std::string_view("MM*\0", 4));
  if (!little && !big) return std::nullopt;
  const Tiff tiff(exif, little);
  const auto directory = tiff.read(4, 4);
  if (!directory) return std::nullopt;
  const auto entries = tiff.read(*directory, 2);
  if (!entries) return std::nullopt;
  std::optional<int> found;  // of two, the last one holds
  for (std::uint32_t i = 0; i < *entries; ++i) {
    const std::size_t at = std::size_t{*directory} + 2 + std::size_t{12} * i;
    const auto tag = tiff.read(at, 2), type = tiff.read(at + 2, 2), count = tiff.read(at + 4, 4);
    if (!tag || !type || !count) break;
    if (*tag != kOrientationTag || *count != 1) continue;
    const std::size_t width = width_of_type(*type);
    const auto value = width == 0 ? std::nullopt : tiff.read(at + 8, width);
    if (value) found = *value <= 8 ? static_cast<int>(*value) : 0;
  }
  return found;
}

std::optional<int> xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\""))
      rest.remove_prefix(2);
    else if (rest.starts_with(">"))
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
  }
  return std::nullopt;
}

int orientation_of(std::optional<int> exif, std::optional<int> xmp) {
  const int value = exif ? *exif : xmp.value_or(1);
  return value >= 1 && value <= 8 ? value : 1;
}

}  // namespace octavo::detail
