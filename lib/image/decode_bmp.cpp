// Windows and OS/2 bitmaps that are not compressed. Channels of fewer than 8 bits are spread as Pillow's Unpack.c
// spreads them: value * 255 / largest value.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "decoders.hpp"

namespace octavo::detail {
namespace {

constexpr std::size_t kFileHeader = 14;
enum Compression : std::uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kJpeg = 4, kPng = 5 };

/// Little-endian integers of the file; past the end is an error.
class Bytes {
 public:
  explicit Bytes(const PictureFile& file) : file_(file) {}
  std::uint32_t read(std::size_t at, std::size_t width) const {
    if (at > file_.size() || file_.size() - at < width) file_.cut_short();
    std::uint32_t value = 0;
    for (std::size_t i = width; i-- > 0;) value = value << 8 | file_.data()[at + i];
    return value;
  }

 private:
  const PictureFile& file_;
};

struct Header {
  std::size_t size = 0;  // of the second header, which tells the version
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  std::uint32_t bits = 0, compression = kNone, colours = 0;
  std::array<std::uint32_t, 4> masks{};  // red, green, blue, alpha
  std::size_t pixels = 0;                // where the rows begin
};

void read_masks(const Bytes& bytes, Header& header) {
  const std::size_t at = kFileHeader + 40;  // inside a longer header, or after one of 40 bytes
  for (std::size_t i = 0; i < 3; ++i) header.masks[i] = bytes.read(at + 4 * i, 4);
  if (header.size >= 56) header.masks[3] = bytes.read(at + 12, 4);
  if (header.masks == std::array<std::uint32_t, 4>{}) header.masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
}

Header read_header(const PictureFile& file, const Bytes& bytes) {
  Header header;
  header.size = bytes.read(kFileHeader, 4);
  const bool core = header.size == 12;
  if (core) {
    header.width = bytes.read(18, 2);
    header.height = bytes.read(20, 2);
    header.bits = bytes.read(24, 2);
  } else if (header.size == 40 || header.size == 52 || header.size == 56 || header.size == 64 || header.size == 108 ||
             header.size == 124) {
    header.width = static_cast<std::int32_t>(bytes.read(18, 4));
    const std::int64_t height = static_cast<std::int32_t>(bytes.read(22, 4));
    header.top_down = height < 0;
    header.height = std::abs(height);
    header.bits = bytes.read(28, 2);
    header.compression = bytes.read(30, 4);
    header.colours = bytes.read(46, 4);
  } else {
    file.unsupported("has a header of " + std::to_string(header.size) + " bytes, which no known version has");
  }
  if (header.compression == kRle8 || header.compression == kRle4) file.unsupported("is run-length encoded");
  if (header.compression != kNone && header.compression != kBitFields)
    file.unsupported("is compressed by method " + std::to_string(header.compression));
  const bool fields = header.compression == kBitFields;
  const bool palette = header.bits == 1 || header.bits == 4 || header.bits == 8;
  if ((!palette || fields) && header.bits != 16 && header.bits != 24 && header.bits != 32)
    file.unsupported("has " + std::to_string(header.bits) + " bits per pixel" + (fields ? " and bit fields" : ""));
  if (fields)
    read_masks(bytes, header);
  else if (header.bits == 16)
    header.masks = {0x7C00, 0x3E0, 0x1F, 0};
  else
    header.masks = {0xFF0000, 0xFF00, 0xFF, 0};
  if (palette && header.colours == 0) header.colours = 1U << header.bits;
  if (palette && header.colours > 65536) file.damaged("its palette has " + std::to_string(header.colours) + " colours");
  header.pixels = bytes.read(10, 4);
  const std::size_t after = kFileHeader + header.size;
  // Some writers forget the palette in the offset; Pillow puts that right, too.
  if (palette && (header.pixels == after || header.pixels == 0))
    header.pixels = after + std::size_t{core ? 3U : 4U} * header.colours;
  else if (header.pixels == 0)
    header.pixels = after + (fields && header.size == 40 ? 12 : 0);
  return header;
}

/// One channel of a pixel, as a mask takes it out and 8 bits hold it.
class Channel {
 public:
  Channel(const PictureFile& file, std::uint32_t mask) : mask_(mask), shift_(mask == 0 ? 0 : std::countr_zero(mask)) {
    largest_ = mask_ >> shift_;
    if ((largest_ & (largest_ + 1)) != 0) file.unsupported("has bit fields with gaps");
  }
  std::uint8_t of(std::uint32_t pixel) const {
    if (mask_ == 0) return 0;
    return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask_) >> shift_} * 255 / largest_);
  }

 private:
  std::uint32_t mask_, largest_ = 0;
  int shift_;
};

using Colour = std::array<std::uint8_t, 3>;

std::vector<Colour> read_palette(const Bytes& bytes, const Header& header) {
  std::vector<Colour> colours(256, Colour{0, 0, 0});  // beyond the palette is black
  const std::size_t step = header.size == 12 ? 3 : 4;
  for (std::size_t i = 0; i < std::min<std::size_t>(header.colours, 256); ++i) {
    const std::size_t at = kFileHeader + header.size + i * step;
    for (std::size_t c = 0; c < 3; ++c) colours[i][c] = static_cast<std::uint8_t>(bytes.read(at + 2 - c, 1));
  }
  return colours;
}

}  // namespace

Samples decode_bmp(const PictureFile& file) {
  const Bytes bytes(file);
  const Header header = read_header(file, bytes);
  Samples samples;
  samples.height = header.height;
  samples.width = header.width;
  samples.channels = header.masks[3] != 0 ? 4 : 3;
  file.require_room(samples.height, samples.width, samples.channels + 3);
  const std::size_t used = static_cast<std::size_t>(header.width * header.bits + 7) / 8;
  const std::size_t stride = (used + 3) / 4 * 4;
  const std::size_t needed =
      stride * static_cast<std::size_t>(header.height - 1) + used;  // the last row's padding may lack
  if (header.pixels > file.size() || file.size() - header.pixels < needed) file.cut_short();
  const bool palette = header.bits <= 8;
  const std::vector<Colour> colours = palette ? read_palette(bytes, header) : std::vector<Colour>();
  const std::array<Channel, 4> channels{Channel(file, header.masks[0]), Channel(file, header.masks[1]),
                                        Channel(file, header.masks[2]), Channel(file, header.masks[3])};
  samples.values.resize(static_cast<std::size_t>(samples.height * samples.width * samples.channels));
  const std::size_t width = header.bits / 8;
  std::uint8_t* out = samples.values.data();
  for (std::int64_t y = 0; y < header.height; ++y) {
    const auto line = static_cast<std::size_t>(header.top_down ? y : header.height - 1 - y);
    const std::uint8_t* row = file.data() + header.pixels + line * stride;
    for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x) {
      if (palette) {
        const std::size_t at = x * header.bits;
        const unsigned index = row[at / 8] >> (8 - header.bits - at % 8) & ((1U << header.bits) - 1);
        for (const std::uint8_t value : colours[index]) *out++ = value;
        continue;
      }
      std::uint32_t pixel = 0;
      for (std::size_t i = width; i-- > 0;) pixel = pixel << 8 | row[x * width + i];
      for (std::int64_t c = 0; c < samples.channels; ++c) *out++ = channels[static_cast<std::size_t>(c)].of(pixel);
    }
  }
  return samples;
}

}  // namespace octavo::detail
