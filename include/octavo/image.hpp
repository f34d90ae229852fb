/// @file
/// Pictures to patches, equal to Hugging Face's image processor (Pillow path).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/files.hpp"
#include "octavo/settings.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// 8-bit RGB, row-major [height, width, 3].
struct Image {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
};

/// What becomes of pixels that a file calls transparent, in whole or in part (alpha channel, tRNS, GIF's colour index).
enum class Transparency : std::uint8_t {
  white,  ///< composited on white as qwen_vl_utils and vLLM do: (255 * (255 - alpha) + value * alpha) / 255, rounded
  drop,   ///< alpha is left out, as Pillow's convert("RGB") in Hugging Face's processor does
};

/// How picture files are read. The bounds hold before memory is taken: they are checked against the file's header.
struct DecodeOptions {
  /// Turns and mirrors the picture as its EXIF or XMP orientation (1 to 8) says; source: Pillow's
  /// ImageOps.exif_transpose.
  bool apply_orientation = true;
  Transparency transparency = Transparency::white;
  std::int64_t max_pixels = 178'956'970;  ///< pixels, height * width; the default is where Pillow refuses
  std::int64_t max_bytes = std::int64_t{2}
                           << 30;  ///< bytes that decoding may take: decoded samples, buffers, the result
};

/// A picture, and what its file says beside the pixels.
struct DecodedImage {
  Image image;
  std::string format;        ///< "JPEG", "PNG", "WebP", "GIF", "BMP" or "PNM"
  int orientation = 1;       ///< what the file says, applied or not
  bool transparent = false;  ///< some pixel is not opaque
};

/// The pixels of a JPEG, PNG, WebP, GIF, BMP or PNM file, of animations the first frame: level by level what Pillow
/// gives (docs/image.md tells the few differences). The format is known by the content, never by the name. Thread-safe.
/// @throws Error  not_found / io; format for a file that is damaged, cut short or above a bound of `options`;
///   unsupported for a format that is not read, with its name and what to do; all name `path` or `origin`.
Image load_image(const std::string& path, const DecodeOptions& options = {});
Image decode_image(std::span<const std::byte> bytes, const std::string& origin, const DecodeOptions& options = {});
DecodedImage decode_image_file(std::span<const std::byte> bytes, const std::string& origin,
                               const DecodeOptions& options = {});
/// How pixels lie in memory: rows of 8-bit samples, the upper row first.
struct PixelLayout {
  std::int64_t height = 0, width = 0;
  int channels = 3;             ///< 1 grey, 3 RGB, 4 RGB and alpha (not multiplied in)
  std::int64_t row_stride = 0;  ///< bytes from a row to the next; 0: width * channels
};
/// A copy of pixels that some other program decoded or drew.
/// @throws Error  invalid_argument: sides outside 1 to 1000000, other channels, rows that overlap, or fewer bytes than
///                the layout needs.
Image image_from_pixels(std::span<const std::byte> pixels, const PixelLayout& layout,
                        Transparency transparency = Transparency::white);
/// The bytes of a JPEG file that holds `image`; `quality` is 1 to 100. `comment`, of printable ASCII, stands in the
/// file before the pixels.
/// @throws Error  invalid_argument for sides outside 1 to 65500, and for `rgb` of another size than they give.
std::vector<std::byte> encode_jpeg(const Image& image, int quality = 85, std::string_view comment = {});
/// The bytes of a PNG file that holds `image`, 8 bits a channel, without loss; the same for the same picture and zlib.
/// @throws Error  invalid_argument for sides outside 1 to 1000000, and for `rgb` of another size than they give.
std::vector<std::byte> encode_png(const Image& image, std::string_view comment = {});

struct ImageSize {
  std::int64_t height = 0, width = 0;
};
/// The size that the model sees: both sides multiples of `factor`, the area within the limits. Source: smart_resize of
/// transformers' image_processing_qwen2_vl.py. Throws when the aspect ratio is above 200 or a side is not positive.
ImageSize smart_resize(ImageSize size, std::int64_t factor, std::int64_t min_pixels, std::int64_t max_pixels);
/// Pillow's antialiased bicubic, bit for bit.
Image resize_bicubic(const Image& image, ImageSize size);

/// How pictures become patches. What a file leaves out has the default of Qwen2VLImageProcessor (the same in
/// transformers 4.49 to 5.17); the published files state max_pixels 12845056.
struct ImageProcessorConfig {
  std::int64_t patch_size = 14, temporal_patch_size = 2, merge_size = 2;
  std::int64_t min_pixels = 56 * 56, max_pixels = 28 * 28 * 1280;  ///< areas, in pixels, after resizing
  bool do_resize = true, do_rescale = true, do_normalize = true;
  double rescale_factor = 1.0 / 255.0;
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std{0.26862954, 0.26130258, 0.27577711};
  std::string where;  ///< the file that was read, as errors name it; empty where none was
  /// The image_processor of processor_config.json (transformers 5), else preprocessor_config.json; both spellings of
  /// the limits.
  /// @throws Error  not_found when neither is there; format for values that no picture could be prepared with;
  ///                unsupported for what `image_settings` requires.
  static ImageProcessorConfig open(const FileSource& files);
};
/// What is done with each key: of preprocessor_config.json (and of processor_config.json's image_processor), and of
/// processor_config.json itself.
std::span<const SettingsTable> image_settings();
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
