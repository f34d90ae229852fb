// PNG by libpng. It leaves a failed call by longjmp: the function that sets the mark has no local object with a
// destructor.
#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoders.hpp"
#include "octavo/image.hpp"

namespace octavo {
namespace {

constexpr std::int64_t kMaxSide = 1'000'000;  // PNG_USER_WIDTH_MAX: what libpng reads back

struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<std::byte> bytes;

  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

void write(png_structp png, png_bytep data, std::size_t count) {
  auto& bytes = static_cast<Writer*>(png_get_io_ptr(png))->bytes;
  try {
    const auto* first = reinterpret_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), first, first + count);
    return;
  } catch (const std::bad_alloc&) {
    // libpng's own way out, since an exception must not pass through C
  }
  png_error(png, "no memory");
}

bool encode(Writer& self, const Image& image, const char* comment) {
  self.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  if (self.png == nullptr) return false;
  self.info = png_create_info_struct(self.png);
  if (self.info == nullptr) return false;
  if (setjmp(png_jmpbuf(self.png)) != 0) return false;  // NOLINT(cert-err52-cpp): libpng's way out
  png_set_write_fn(self.png, &self, write, nullptr);
  png_set_IHDR(self.png, self.info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (*comment != '\0') {
    char key[] = "Comment";
    png_text text{};
    text.compression = PNG_TEXT_COMPRESSION_NONE;
    text.key = key;
    text.text = const_cast<char*>(comment);  // read only; the library's type lacks the const
    text.text_length = std::strlen(comment);
    png_set_text(self.png, self.info, &text, 1);
  }
  png_write_info(self.png, self.info);
  for (std::int64_t y = 0; y < image.height; ++y)
    png_write_row(self.png, image.rgb.data() + static_cast<std::size_t>(3 * y * image.width));
  png_write_end(self.png, nullptr);
  return true;
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image, std::string_view comment) {
  detail::require_writable("encode_png", image, kMaxSide, comment);
  const std::string text(comment);
  Writer self;
  if (!encode(self, image, text.c_str())) throw std::bad_alloc();
  return std::move(self.bytes);
}

}  // namespace octavo
