// JPEG by libjpeg-turbo. It leaves a failed call by longjmp: the function that sets the mark has no local object with a
// destructor.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "encoders.hpp"
#include "libjpeg.hpp"
#include "octavo/image.hpp"

namespace octavo {
namespace {

constexpr std::int64_t kMaxSide = 65500;  // JPEG_MAX_DIMENSION

struct Compressor {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf mark{};
  unsigned char* bytes = nullptr;  // malloc's
  unsigned long size = 0;

  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(bytes);  // NOLINT(cppcoreguidelines-no-malloc)
  }
};

bool encode(Compressor& self, const Image& image, int quality, std::string_view comment) {
  self.info.err = jpeg_std_error(&self.errors);
  self.info.client_data = &self;
  self.errors.error_exit = [](j_common_ptr info) {
    std::longjmp(static_cast<Compressor*>(info->client_data)->mark, 1);
  };
  if (setjmp(self.mark) != 0) return false;  // NOLINT(cert-err52-cpp): libjpeg's way out
  jpeg_create_compress(&self.info);
  jpeg_mem_dest(&self.info, &self.bytes, &self.size);
  self.info.image_width = static_cast<JDIMENSION>(image.width);
  self.info.image_height = static_cast<JDIMENSION>(image.height);
  self.info.input_components = 3;
  self.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&self.info);
  jpeg_set_quality(&self.info, quality, TRUE);
  jpeg_start_compress(&self.info, TRUE);
  if (!comment.empty())
    jpeg_write_marker(&self.info, JPEG_COM, reinterpret_cast<const JOCTET*>(comment.data()),
                      static_cast<unsigned>(comment.size()));
  while (self.info.next_scanline < self.info.image_height) {
    // Read only; the library's type lacks the const.
    JSAMPROW row = const_cast<JSAMPROW>(image.rgb.data() + std::size_t{self.info.next_scanline} * 3 *
                                                               static_cast<std::size_t>(image.width));
    jpeg_write_scanlines(&self.info, &row, 1);
  }
  jpeg_finish_compress(&self.info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality, std::string_view comment) {
  if (quality < 1 || quality > 100)
    throw Error(ErrorCode::invalid_argument, "encode_jpeg: quality is " + std::to_string(quality) + "; it is 1 to 100");
  detail::require_writable("encode_jpeg", image, kMaxSide, comment);
  Compressor self;
  if (!encode(self, image, quality, comment)) throw std::bad_alloc();
  const auto* bytes = reinterpret_cast<const std::byte*>(self.bytes);
  return {bytes, bytes + self.size};
}

}  // namespace octavo
