#include <array>
#include <string>

#include "octavo/image.hpp"

namespace octavo {

namespace {

ImageSize resized(ImageSize size, const ImageProcessorConfig& config) {
  const std::int64_t factor = config.patch_size * config.merge_size;
  if (!config.do_resize) {
    if (size.height <= 0 || size.width <= 0 || size.height % factor != 0 || size.width % factor != 0)
      throw Error(ErrorCode::invalid_argument,
                  "a picture of " + std::to_string(size.width) + " x " + std::to_string(size.height) +
                      " pixels, and do_resize is false: its sides must be multiples of patch_size * merge_size = " +
                      std::to_string(factor));
    return size;
  }
  return smart_resize(size, factor, config.min_pixels, config.max_pixels);
}

}  // namespace

Grid grid_of(ImageSize size, const ImageProcessorConfig& config) {
  const ImageSize to = resized(size, config);
  return {1, to.height / config.patch_size, to.width / config.patch_size};
}

PixelPatches patchify(const Image& image, const ImageProcessorConfig& config) {
  const ImageSize size = resized({image.height, image.width}, config);
  const Image scaled = resize_bicubic(image, size);
  const std::int64_t patch = config.patch_size;
  const std::int64_t merge = config.merge_size;
  const std::int64_t frames = config.temporal_patch_size;
  PixelPatches result;
  result.resized = size;
  result.grid = grid_of({image.height, image.width}, config);
  const std::int64_t columns = 3 * frames * patch * patch;
  result.pixel_values = Tensor::empty(DType::f32, {result.grid.h * result.grid.w, columns});
  float* out = result.pixel_values.mutable_data<float>();

  // The reference rescales in double, stores float32, and normalises in float32: three tables of 256 hold all of it.
  std::array<std::array<float, 256>, 3> table;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t v = 0; v < 256; ++v) {
      const double level = static_cast<double>(v);
      float value = static_cast<float>(config.do_rescale ? level * config.rescale_factor : level);
      if (config.do_normalize) value = (value - static_cast<float>(config.mean[c])) / static_cast<float>(config.std[c]);
      table[c][v] = value;
    }

  std::int64_t n = 0;
  for (std::int64_t block_y = 0; block_y < result.grid.h / merge; ++block_y)
    for (std::int64_t block_x = 0; block_x < result.grid.w / merge; ++block_x)
      for (std::int64_t inner = 0; inner < merge * merge; ++inner, ++n) {
        const std::int64_t top = (block_y * merge + inner / merge) * patch;
        const std::int64_t left = (block_x * merge + inner % merge) * patch;
        float* row = out + n * columns;
        for (std::size_t c = 0; c < 3; ++c)
          for (std::int64_t f = 0; f < frames; ++f)  // a still picture fills every frame
            for (std::int64_t y = 0; y < patch; ++y)
              for (std::int64_t x = 0; x < patch; ++x)
                *row++ = table[c][scaled.rgb[static_cast<std::size_t>(((top + y) * size.width + left + x) * 3) + c]];
      }
  return result;
}

}  // namespace octavo
