// The only file that knows stb_image_write.
#include <new>
#include <string>

#include "octavo/image.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace octavo {
namespace {

constexpr std::int64_t kMaxSide = 65535;  // two bytes in a JPEG's header

void append(void* context, void* data, int size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  auto& out = *static_cast<std::vector<std::byte>*>(context);
  out.insert(out.end(), bytes, bytes + size);
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  const auto fail = [](const std::string& what) { return Error(ErrorCode::invalid_argument, "encode_jpeg: " + what); };
  if (quality < 1 || quality > 100) throw fail("quality is " + std::to_string(quality) + "; it is 1 to 100");
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide)
    throw fail("a picture of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
               " pixels; each side is 1 to " + std::to_string(kMaxSide));
  if (image.rgb.size() != static_cast<std::size_t>(image.width * image.height * 3))
    throw fail("rgb holds " + std::to_string(image.rgb.size()) +
               " bytes, not height * width * 3 = " + std::to_string(image.width * image.height * 3));
  std::vector<std::byte> bytes;
  if (stbi_write_jpg_to_func(append, &bytes, static_cast<int>(image.width), static_cast<int>(image.height), 3,
                             image.rgb.data(), quality) == 0)
    throw std::bad_alloc();
  return bytes;
}

}  // namespace octavo
