#include "image.hpp"

#include <cstring>
#include <string>

#include "guard.hpp"
#include "handles.hpp"

namespace octavo::capi {

DecodeOptions decode_options(const octavo_decode_options* given) {
  const octavo_decode_options read = read_options(given, "decode options");
  if (read.transparency != OCTAVO_TRANSPARENCY_WHITE && read.transparency != OCTAVO_TRANSPARENCY_DROP)
    throw Error(ErrorCode::invalid_argument, "decode options: transparency is " + std::to_string(read.transparency) +
                                                 ", known are 0 (white) and 1 (drop)");
  DecodeOptions options;
  options.apply_orientation = read.ignore_orientation == 0;
  options.transparency = read.transparency == OCTAVO_TRANSPARENCY_DROP ? Transparency::drop : Transparency::white;
  if (read.max_pixels != 0) options.max_pixels = read.max_pixels;
  if (read.max_bytes != 0) options.max_bytes = read.max_bytes;
  return options;
}

std::vector<Image> load_images(const char* const* paths, size_t count, const DecodeOptions& decode) {
  if (count > 0) require(paths, "image_paths");
  std::vector<Image> images;
  for (size_t i = 0; i < count; ++i) {
    require(paths[i], "a path in image_paths");
    images.push_back(load_image(paths[i], decode));
  }
  return images;
}

}  // namespace octavo::capi

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_image_load(const char* path, const octavo_decode_options* options, octavo_tensor** out) {
  return guarded([&] {
    require(path, "path");
    require(out, "out");
    const octavo::Image image = octavo::load_image(path, decode_options(options));
    octavo::Tensor pixels = octavo::Tensor::empty(octavo::DType::u8, {image.height, image.width, 3});
    std::memcpy(pixels.mutable_data<std::uint8_t>(), image.rgb.data(), image.rgb.size());
    *out = new octavo_tensor{std::move(pixels)};
  });
}

}  // extern "C"
