// PNG by libpng. It leaves a failed call by longjmp: a function that sets the mark below has no local object with a
// destructor.
#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "decoders.hpp"
#include "orientation.hpp"

namespace octavo::detail {
namespace {

/// What libpng may take besides its rows: text and EXIF, packed and unpacked, and zlib. Of itself it would take what a
/// chunk says of its length before it reads one, and unpack texts without a bound on their sum.
constexpr std::size_t kWorkspace = std::size_t{64} << 20;

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* next = nullptr;
  std::size_t left = 0;
  std::size_t room = kWorkspace;  // bytes that libpng may still take
  char message[128] = {};

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void leave(png_structp png, png_const_charp message) {
  auto* self = static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(self->message, sizeof self->message, "%s", message);
  png_longjmp(png, 1);
}

/// libpng only warns of data that fail their checksum once all rows are there, and reads on without a tRNS that is
/// malformed. Of the chunks that decide what is seen, a warning is an error.
void warn(png_structp png, png_const_charp message) {
  for (const char* chunk : {"IHDR", "PLTE", "IDAT", "IEND", "tRNS"})
    if (std::strncmp(message, chunk, 4) == 0) leave(png, message);
}

void read(png_structp png, png_bytep out, std::size_t count) {
  auto* self = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > self->left) png_error(png, "the file ends too early");
  std::memcpy(out, self->next, count);
  self->next += count;
  self->left -= count;
}

/// Each block begins with its size, so that its release makes room again.
png_voidp allocate(png_structp png, png_alloc_size_t size) {
  constexpr std::size_t kHead = alignof(std::max_align_t);
  auto* self = static_cast<Reader*>(png_get_mem_ptr(png));
  if (self->room < kHead || size > self->room - kHead) return nullptr;
  auto* block = static_cast<std::uint8_t*>(std::malloc(kHead + size));  // NOLINT(cppcoreguidelines-no-malloc)
  if (block == nullptr) return nullptr;
  const std::size_t whole = kHead + size;
  std::memcpy(block, &whole, sizeof whole);
  self->room -= whole;
  return block + kHead;
}

void release(png_structp png, png_voidp memory) {
  constexpr std::size_t kHead = alignof(std::max_align_t);
  auto* block = static_cast<std::uint8_t*>(memory) - kHead;
  std::size_t whole = 0;
  std::memcpy(&whole, block, sizeof whole);
  static_cast<Reader*>(png_get_mem_ptr(png))->room += whole;
  std::free(block);  // NOLINT(cppcoreguidelines-no-malloc)
}

bool read_header(Reader& self) {
  self.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &self, leave, warn, &self, allocate, release);
  if (self.png == nullptr) return false;
  if (setjmp(png_jmpbuf(self.png)) != 0) return false;  // NOLINT(cert-err52-cpp): libpng's way out
  self.info = png_create_info_struct(self.png);
  if (self.info == nullptr) return false;
  png_set_read_fn(self.png, &self, read);
  png_set_crc_action(self.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(self.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // ours are checked after the header
  png_set_check_for_invalid_index(self.png, 0);                     // beyond the palette is black, as in Pillow
  // Chunks that change no pixel here are skipped: Pillow does not apply gamma or colour profiles, either.
  constexpr png_byte kSkipped[] = "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tIME";
  png_set_keep_unknown_chunks(self.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, static_cast<int>(sizeof kSkipped / 5));
  // EXIF is kept as it stands: which blocks libpng takes for damaged depends on its release.
  png_set_keep_unknown_chunks(self.png, PNG_HANDLE_CHUNK_ALWAYS, reinterpret_cast<png_const_bytep>("eXIf"), 1);
  png_read_info(self.png, self.info);
  return true;
}

/// Grey of 16 bits stays as it is; all else becomes 8 bits, without a palette, with an alpha channel where tRNS stands.
bool set_up(Reader& self, bool wide_grey) {
  if (setjmp(png_jmpbuf(self.png)) != 0) return false;  // NOLINT(cert-err52-cpp)
  png_set_expand(self.png);
  if (!wide_grey) png_set_strip_16(self.png);
  png_set_interlace_handling(self.png);
  png_read_update_info(self.png, self.info);
  return true;
}

bool read_pixels(Reader& self, std::uint8_t* out, std::size_t stride, std::uint32_t height, int passes) {
  if (setjmp(png_jmpbuf(self.png)) != 0) return false;  // NOLINT(cert-err52-cpp)
  for (int pass = 0; pass < passes; ++pass)
    for (std::uint32_t y = 0; y < height; ++y) png_read_row(self.png, out + y * stride, nullptr);
  png_read_end(self.png, self.info);
  return true;
}

/// ImageMagick's way to keep EXIF: a line with the name, one with the length, then hexadecimal digits.
std::vector<std::uint8_t> raw_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::vector<std::uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    const int value = digit(c);
    if (value < 0) continue;
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + value));
      high = -1;
    }
  }
  return bytes;
}

int orientation(Reader& self) {
  std::optional<int> exif, xmp;
  png_textp texts = nullptr;
  const int count = png_get_text(self.png, self.info, &texts, nullptr);
  for (int i = 0; i < count; ++i) {
    const std::string_view key(texts[i].key);
    const std::size_t length =
        texts[i].compression >= PNG_ITXT_COMPRESSION_NONE ? texts[i].itxt_length : texts[i].text_length;
    const std::string_view text(texts[i].text == nullptr ? "" : texts[i].text, texts[i].text == nullptr ? 0 : length);
    if (key == "Raw profile type exif") exif = exif_orientation(raw_profile(text));
    if (key == "XML:com.adobe.xmp") xmp = xmp_orientation(text);
  }
  png_unknown_chunkp kept = nullptr;
  const int kept_count = png_get_unknown_chunks(self.png, self.info, &kept);
  for (int i = 0; i < kept_count; ++i)
    if (std::memcmp(kept[i].name, "eXIf", 4) == 0) exif = exif_orientation({kept[i].data, kept[i].size});
  return orientation_of(exif, xmp);
}

/// 16 bits, high byte first, to 8: grey is clipped at 255, not scaled, as Pillow's convert("RGB") does; alpha, which
/// only says which grey is transparent, is all or nothing.
void clip(std::vector<std::uint8_t>& values) {
  const std::size_t count = values.size() / 2;
  for (std::size_t i = 0; i < count; ++i) values[i] = values[2 * i] != 0 ? 255 : values[2 * i + 1];
  values.resize(count);
}

}  // namespace

Samples decode_png(const PictureFile& file) {
  Reader self;
  self.next = file.data();
  self.left = file.size();
  if (!read_header(self)) file.damaged(self.message);
  Samples samples;
  samples.height = png_get_image_height(self.png, self.info);
  samples.width = png_get_image_width(self.png, self.info);
  const int colour = png_get_color_type(self.png, self.info);
  const bool wide_grey = colour == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(self.png, self.info) == 16;
  const int passes = png_get_interlace_type(self.png, self.info) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
  const bool alpha = (colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(self.png, self.info, PNG_INFO_tRNS) != 0;
  samples.channels = ((colour & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1) + (alpha ? 1 : 0);
  const std::int64_t bytes = samples.channels * (wide_grey ? 2 : 1);
  const std::int64_t rows = 2 * 8 * samples.width;  // two of libpng's, at most 16 bits for each of four channels
  file.require_room(samples.height, samples.width, bytes + 3, rows);
  self.room += static_cast<std::size_t>(rows);
  if (!set_up(self, wide_grey)) file.damaged(self.message);
  const std::size_t stride = png_get_rowbytes(self.png, self.info);
  if (stride != static_cast<std::size_t>(samples.width * bytes))
    file.damaged("its rows have another length than its header says");
  samples.values.resize(stride * static_cast<std::size_t>(samples.height));
  if (!read_pixels(self, samples.values.data(), stride, static_cast<std::uint32_t>(samples.height), passes))
    file.damaged(self.message);
  if (wide_grey) clip(samples.values);
  samples.orientation = orientation(self);
  return samples;
}

}  // namespace octavo::detail
