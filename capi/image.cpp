// Pictures: how they are read, and as handles.
#include "image.hpp"

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "guard.hpp"
#include "handles.hpp"

namespace octavo::capi {
namespace {

Transparency transparency_of(int32_t value, const char* of) {
  if (value != OCTAVO_TRANSPARENCY_WHITE && value != OCTAVO_TRANSPARENCY_DROP)
    throw Error(ErrorCode::invalid_argument,
                std::string(of) + ": transparency is " + std::to_string(value) + ", known are 0 (white) and 1 (drop)");
  return value == OCTAVO_TRANSPARENCY_DROP ? Transparency::drop : Transparency::white;
}

octavo_image* new_image(Image image) { return new octavo_image{std::make_shared<const Image>(std::move(image))}; }

}  // namespace

DecodeOptions decode_options(const octavo_decode_options* given) {
  const octavo_decode_options read = read_options(given, "decode options");
  DecodeOptions options;
  options.apply_orientation = read.ignore_orientation == 0;
  options.transparency = transparency_of(read.transparency, "decode options");
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

octavo_status octavo_image_open(const char* path, const octavo_decode_options* options, octavo_image** out) {
  return guarded([&] {
    require(path, "path");
    require(out, "out");
    *out = new_image(octavo::load_image(path, decode_options(options)));
  });
}

octavo_status octavo_image_decode(const void* bytes, size_t size, const octavo_decode_options* options,
                                  octavo_image** out) {
  return guarded([&] {
    require(bytes, "bytes");
    require(out, "out");
    const std::span<const std::byte> file(static_cast<const std::byte*>(bytes), size);
    *out = new_image(octavo::decode_image(file, "the picture in memory", decode_options(options)));
  });
}

octavo_status octavo_image_from_pixels(const void* pixels, size_t size, const octavo_pixel_layout* layout,
                                       octavo_image** out) {
  return guarded([&] {
    require(pixels, "pixels");
    require(layout, "layout");
    require(out, "out");
    const octavo_pixel_layout given = read_options(layout, "layout");
    octavo::PixelLayout read;
    read.width = given.width;
    read.height = given.height;
    if (given.channels != 0) read.channels = given.channels;
    read.row_stride = given.row_stride;
    const std::span<const std::byte> memory(static_cast<const std::byte*>(pixels), size);
    *out = new_image(octavo::image_from_pixels(memory, read, transparency_of(given.transparency, "layout")));
  });
}

octavo_status octavo_image_size(const octavo_image* image, int64_t* out_width, int64_t* out_height) {
  return guarded([&] {
    require(image, "image");
    if (out_width != nullptr) *out_width = image->value->width;
    if (out_height != nullptr) *out_height = image->value->height;
  });
}

octavo_status octavo_image_pixels(const octavo_image* image, const uint8_t** out) {
  return guarded([&] {
    require(image, "image");
    require(out, "out");
    *out = image->value->rgb.data();
  });
}

void octavo_image_release(octavo_image* image) { delete image; }

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
