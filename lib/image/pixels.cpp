// Pixels that come from elsewhere than a file.
#include <cstdint>
#include <string>

#include "decoders.hpp"
#include "octavo/error.hpp"

namespace octavo {

Image image_from_pixels(std::span<const std::byte> pixels, const PixelLayout& layout, Transparency transparency) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::invalid_argument, "pixels: " + what); };
  constexpr std::int64_t kMostSide = 1'000'000;
  const std::int64_t height = layout.height, width = layout.width, channels = layout.channels;
  if (height < 1 || width < 1 || height > kMostSide || width > kMostSide)
    refuse("the picture is " + std::to_string(width) + " x " + std::to_string(height) +
           " (width x height), both are 1 to " + std::to_string(kMostSide));
  if (channels != 1 && channels != 3 && channels != 4)
    refuse("channels is " + std::to_string(channels) + ", known are 1 (grey), 3 (RGB) and 4 (RGB and alpha)");
  const std::int64_t row = width * channels;
  const std::int64_t stride = layout.row_stride == 0 ? row : layout.row_stride;
  if (stride < row)
    refuse("row_stride is " + std::to_string(stride) + " bytes, a row of " + std::to_string(width) + " pixels takes " +
           std::to_string(row));
  const auto size = static_cast<std::int64_t>(pixels.size());
  if (size < row || (size - row) / stride < height - 1)
    refuse("there are " + std::to_string(size) + " bytes, too few for " + std::to_string(height) + " rows of " +
           std::to_string(row) + " bytes that are " + std::to_string(stride) + " apart");
  Image image;
  image.height = height;
  image.width = width;
  image.rgb.reserve(static_cast<std::size_t>(3 * height * width));
  for (std::int64_t y = 0; y < height; ++y) {
    const auto* in = reinterpret_cast<const std::uint8_t*>(pixels.data()) + y * stride;
    if (channels == 3) {
      image.rgb.insert(image.rgb.end(), in, in + row);
      continue;
    }
    for (const std::uint8_t* const end = in + row; in != end; in += channels)
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t value = in[channels == 1 ? 0 : c];
        const bool blend = channels == 4 && transparency == Transparency::white;
        image.rgb.push_back(blend ? detail::on_white(value, in[3]) : value);
      }
  }
  return image;
}

}  // namespace octavo
