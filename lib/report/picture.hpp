/// Pictures inside the page, and the boxes over them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "octavo/verify.hpp"

namespace octavo::report {

/// Room for the pictures of one page, in bytes of files; as base64 they take a third more.
inline constexpr std::size_t kPictureRoom = std::size_t{3} << 20;
/// A PNG, JPEG or GIF file up to this many bytes is embedded as it is, others as a JPEG of at most 480 pixels a side.
inline constexpr std::size_t kMostFileBytes = 200'000;

struct Picture {
  std::string data;  ///< a data: URI; "" when there is none
  std::string note;  ///< why there is none
};
/// Reads a picture, to be shown as the model saw it, and takes its bytes from `room`. Never throws for what is wrong
/// with the file.
Picture embed(const std::string& path, const DecodeOptions& decode, std::size_t& room);

/// The picture, `size` as the model saw it, with the boxes that are there: the coordinate system is the pixels of
/// `size`. Inverted boxes are turned, what lies outside is cut off.
std::string overlay(const Picture& picture, ImageSize size, const std::string& alternative,
                    const std::optional<Box>& expected, const std::optional<Box>& original,
                    const std::optional<Box>& quantized);
/// What a reader cannot see of a box: that its corners are swapped, that it leaves the picture; "" when nothing.
std::string box_remark(const Box& box, ImageSize size);

}  // namespace octavo::report
