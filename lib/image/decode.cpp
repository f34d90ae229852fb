// The only file that knows stb_image.
#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>

#include "octavo/image.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_PNM
#define STBI_MAX_DIMENSIONS 65536
#include <stb_image.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace octavo {

namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{1} << 28;  // 268 million: 768 MiB of RGB
constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

// stb reads a JPEG of four components as CMYK in a way that other decoders do not agree on.
bool is_four_component_jpeg(std::span<const std::byte> bytes) {
  if (!starts_with(bytes, "\xFF\xD8")) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(bytes[i]); };
  for (std::size_t at = 2; at + 9 < bytes.size();) {
    if (byte(at) != 0xFF) return false;
    const unsigned marker = byte(at + 1);
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return byte(at + 9) == 4;
    if (marker == 0xDA) return false;
    at += 2 + (byte(at + 2) << 8 | byte(at + 3));
  }
  return false;
}

// A 16-bit greyscale PNG is clipped by Pillow's convert("RGB"), not scaled; alpha or colour of 16 bits is scaled.
bool is_grey16_png(std::span<const std::byte> bytes) {
  return starts_with(bytes, "\x89PNG\r\n\x1a\n") && bytes.size() > 26 && static_cast<unsigned>(bytes[24]) == 16 &&
         static_cast<unsigned>(bytes[25]) == 0;
}

// What a PNG's header says of its size. stb calls a huge PNG "unknown", which tells nobody what is wrong.
std::optional<ImageSize> stated_png_size(std::span<const std::byte> bytes) {
  if (!starts_with(bytes, "\x89PNG\r\n\x1a\n") || bytes.size() < 24) return std::nullopt;
  const auto read = [&](std::size_t at) {
    std::int64_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | std::to_integer<std::int64_t>(bytes[i]);
    return value;
  };
  return ImageSize{.height = read(20), .width = read(16)};
}

}  // namespace

Image decode_image(std::span<const std::byte> bytes, const std::string& origin) {
  const auto fail = [&](const std::string& what) { return Error(ErrorCode::format, origin + ": " + what); };
  if (bytes.empty()) throw fail("the file is empty, a picture is needed");
  if (bytes.size() > kMaxFileBytes) throw fail("the file is larger than 512 MiB");
  if (is_four_component_jpeg(bytes))
    throw Error(ErrorCode::unsupported, origin + ": a CMYK JPEG; convert it to RGB first");
  const auto check_size = [&](std::int64_t width, std::int64_t height) {
    const std::string size = "a picture of " + std::to_string(width) + " x " + std::to_string(height) + " pixels";
    if (width <= 0 || height <= 0) throw fail(size);
    if (width > kMaxPixels / height)
      throw fail(size + ", more than the " + std::to_string(kMaxPixels) + " that are accepted");
  };
  if (const auto stated = stated_png_size(bytes)) check_size(stated->width, stated->height);
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(data, size, &width, &height, &channels) == 0)
    throw fail("not a picture that can be read (PNG, JPEG, BMP, GIF, PNM): " + std::string(stbi_failure_reason()));
  check_size(width, height);
  Image image;
  image.width = width;
  image.height = height;
  const auto pixels = static_cast<std::size_t>(std::int64_t{width} * height);
  image.rgb.resize(pixels * 3);
  const auto check_read = [&](const void* decoded) {
    if (decoded == nullptr) throw fail("the picture is damaged or cut short: " + std::string(stbi_failure_reason()));
  };
  if (is_grey16_png(bytes)) {
    const std::unique_ptr<stbi_us, void (*)(void*)> grey(
        stbi_load_16_from_memory(data, size, &width, &height, &channels, 1), stbi_image_free);
    check_read(grey.get());
    for (std::size_t i = 0; i < pixels; ++i)
      image.rgb[3 * i] = image.rgb[3 * i + 1] = image.rgb[3 * i + 2] =
          static_cast<std::uint8_t>(std::min<unsigned>(grey.get()[i], 255));
    return image;
  }
  // All channels as they are; alpha is dropped here, not blended.
  const std::unique_ptr<stbi_uc, void (*)(void*)> decoded(
      stbi_load_from_memory(data, size, &width, &height, &channels, 0), stbi_image_free);
  check_read(decoded.get());
  const auto step = static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = decoded.get()[i * step + (channels >= 3 ? c : 0)];
  return image;
}

Image load_image(const std::string& path) {
  const std::shared_ptr<Storage> file = map_file(path);
  return decode_image(bytes_of(*file), path);
}

}  // namespace octavo
