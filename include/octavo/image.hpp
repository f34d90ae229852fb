/// @file
/// Pictures to patches, equal to Hugging Face's image processor (Pillow path).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// 8-bit RGB, row-major [height, width, 3].
struct Image {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
};

/// Decodes PNG, JPEG, BMP, GIF (first frame), PNM; greyscale and palette become RGB, alpha is dropped as Pillow's
/// convert("RGB") does. Dimensions are bounded before anything is allocated. Throws format / not_found naming the file.
Image load_image(const std::string& path);
Image decode_image(std::span<const std::byte> bytes, const std::string& origin);
/// The bytes of a JPEG file that holds `image`; `quality` is 1 to 100.
/// @throws Error  invalid_argument for sides outside 1 to 65535, and for `rgb` of another size than they give.
std::vector<std::byte> encode_jpeg(const Image& image, int quality = 85);

struct ImageSize {
  std::int64_t height = 0, width = 0;
};
/// The size that the model sees: both sides multiples of `factor`, the area within the limits. Source: smart_resize of
/// transformers' image_processing_qwen2_vl.py. Throws when the aspect ratio is above 200 or a side is not positive.
ImageSize smart_resize(ImageSize size, std::int64_t factor, std::int64_t min_pixels, std::int64_t max_pixels);
/// Pillow's antialiased bicubic, bit for bit.
Image resize_bicubic(const Image& image, ImageSize size);

struct ImageProcessorConfig {
  std::int64_t patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  std::int64_t min_pixels = 3136, max_pixels = 12845056;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std{0.26862954, 0.26130258, 0.27577711};
  /// preprocessor_config.json of a model directory; both spellings of the limits.
  static ImageProcessorConfig open(const std::string& directory);
};
/// The grid of a picture of `size` pixels, after smart_resize.
Grid grid_of(ImageSize size, const ImageProcessorConfig& config);
struct PixelPatches {
  Tensor pixel_values;  // f32 [t*h*w, 3*temporal_patch_size*patch_size^2]
  Grid grid;
  ImageSize resized;   ///< what boxes in answers refer to
  ImageSize original;  ///< of the picture that was given
};
PixelPatches patchify(const Image& image, const ImageProcessorConfig& config);

}  // namespace octavo
