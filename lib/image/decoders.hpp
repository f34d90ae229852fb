// What the decoders share: the file that they read, and what they hand on. One file for each format beside this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "octavo/image.hpp"

namespace octavo::detail {

/// A picture as its format holds it, 8 bits per sample.
struct Samples {
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 3;         ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha (not multiplied in)
  std::vector<std::uint8_t> values;  ///< [height, width, channels]
  int orientation = 1;               ///< of EXIF or XMP, 1 to 8
};

/// Source: paste_mask_L of Pillow's Paste.c; the division by 255 is rounded.
inline std::uint8_t on_white(unsigned value, unsigned alpha) {
  const unsigned sum = 255U * (255U - alpha) + value * alpha + 128U;
  return static_cast<std::uint8_t>(((sum >> 8) + sum) >> 8);
}

/// The bytes of a picture file, with what an error about them says and the bounds on what they may take.
class PictureFile {
 public:
  PictureFile(std::span<const std::byte> bytes, const char* format, const std::string& origin,
              const DecodeOptions& options)
      : bytes_(bytes), format_(format), origin_(origin), options_(options) {}

  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(bytes_.data()); }
  std::size_t size() const { return bytes_.size(); }
  const char* format() const { return format_; }
  [[noreturn]] void damaged(const std::string& what) const;
  [[noreturn]] void cut_short() const { damaged("the file ends too early"); }
  /// `what` completes "the BMP ...".
  [[noreturn]] void unsupported(const std::string& what) const;
  /// Decoding will take height * width * bytes_per_pixel + more bytes, the result in RGB included.
  /// @throws Error  format, for a side that is not positive and above the bounds.
  void require_room(std::int64_t height, std::int64_t width, std::int64_t bytes_per_pixel, std::int64_t more = 0) const;

 private:
  std::span<const std::byte> bytes_;
  const char* format_;
  const std::string& origin_;
  const DecodeOptions& options_;
};

Samples decode_jpeg(const PictureFile& file);
Samples decode_png(const PictureFile& file);
Samples decode_webp(const PictureFile& file);
Samples decode_gif(const PictureFile& file);
Samples decode_bmp(const PictureFile& file);
Samples decode_pnm(const PictureFile& file);

}  // namespace octavo::detail
