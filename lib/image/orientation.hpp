// How a picture is to be turned, by the metadata of its file. Source: getexif of Pillow's Image.py.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace octavo::detail {

/// The orientation tag (0x0112) of the first directory of an EXIF block, which is a TIFF file, perhaps after
/// "Exif\0\0". Nothing when there is no such tag or the block cannot be read.
std::optional<int> exif_orientation(std::span<const std::uint8_t> exif);
/// tiff:Orientation of an XMP packet.
std::optional<int> xmp_orientation(std::string_view xmp);
/// EXIF decides where it has the tag; what is not 1 to 8 turns nothing.
int orientation_of(std::optional<int> exif, std::optional<int> xmp);

}  // namespace octavo::detail
