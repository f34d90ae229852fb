// PBM, PGM and PPM, plain and raw, with any maxval. Values are scaled as Pillow's PpmImagePlugin scales them.
#include <algorithm>
#include <cmath>

#include "decoders.hpp"

namespace octavo::detail {
namespace {

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Reads a PNM file from its front; past the end is an error.
class Scanner {
 public:
  explicit Scanner(const PictureFile& file) : file_(file), at_(2) {}  // after "P1" to "P6"

  std::size_t left() const { return file_.size() - at_; }
  std::uint8_t byte() {
    if (left() == 0) file_.cut_short();
    return file_.data()[at_++];
  }
  /// The next byte that is neither white space nor in a comment.
  std::uint8_t visible() {
    for (;;) {
      std::uint8_t c = byte();
      if (c == '#')
        while (c != '\n' && c != '\r') c = byte();
      else if (!is_space(c))
        return c;
    }
  }
  /// A decimal number and the one byte of white space after it, which the end of the file may stand for.
  std::uint32_t number(const char* what) {
    std::uint32_t value = 0;
    std::uint8_t c = visible();
    for (int digits = 0; !is_space(c); ++digits) {
      if (c < '0' || c > '9' || digits == 9) file_.damaged(std::string(what) + " is not a number of up to 9 digits");
      value = value * 10 + (c - '0');
      if (left() == 0) break;
      c = byte();
    }
    return value;
  }

 private:
  const PictureFile& file_;
  std::size_t at_;
};

/// 8 bits for each value up to `maxval`. More than 255 in grey is kept as 16 bits by Pillow, which its convert("RGB")
/// then clips.
std::vector<std::uint8_t> scale(std::uint32_t maxval, bool grey) {
  const double top = grey && maxval > 255 ? 65535.0 : 255.0;
  std::vector<std::uint8_t> table(std::size_t{maxval} + 1);
  for (std::uint32_t v = 0; v <= maxval; ++v)  // nearbyint: half to even, as Python rounds
    table[v] = static_cast<std::uint8_t>(std::min(255.0, std::nearbyint(v / static_cast<double>(maxval) * top)));
  return table;
}

void read_bits(Scanner& scanner, Samples& samples, bool plain, const PictureFile& file) {
  for (std::int64_t y = 0; y < samples.height; ++y) {
    std::uint8_t packed = 0;
    for (std::int64_t x = 0; x < samples.width; ++x) {
      bool black = false;
      if (plain) {
        const std::uint8_t c = scanner.visible();
        if (c != '0' && c != '1') file.damaged("a pixel is neither 0 nor 1");
        black = c == '1';
      } else {
        if (x % 8 == 0) packed = scanner.byte();
        black = (packed >> (7 - x % 8) & 1) != 0;
      }
      samples.values[static_cast<std::size_t>(y * samples.width + x)] = black ? 0 : 255;
    }
  }
}

}  // namespace

Samples decode_pnm(const PictureFile& file) {
  const int kind = file.data()[1] - '0';
  const bool plain = kind <= 3, bits = kind % 3 == 1;
  Scanner scanner(file);
  Samples samples;
  samples.width = scanner.number("its width");
  samples.height = scanner.number("its height");
  samples.channels = kind % 3 == 0 ? 3 : 1;
  const std::uint32_t maxval = bits ? 1 : scanner.number("its maxval");
  if (maxval < 1 || maxval > 65535)
    file.damaged("its maxval is " + std::to_string(maxval) + ", 1 to 65535 are possible");
  file.require_room(samples.height, samples.width, samples.channels + 3);
  const std::int64_t values = samples.height * samples.width * samples.channels;
  const std::int64_t wide = maxval > 255 ? 2 : 1;
  const std::int64_t needed =
      bits ? (plain ? values : samples.height * ((samples.width + 7) / 8)) : (plain ? 2 * values - 1 : values * wide);
  if (static_cast<std::int64_t>(scanner.left()) < needed) file.cut_short();  // before memory is taken
  samples.values.resize(static_cast<std::size_t>(values));
  if (bits) {
    read_bits(scanner, samples, plain, file);
    return samples;
  }
  const std::vector<std::uint8_t> table = scale(maxval, samples.channels == 1);
  for (std::uint8_t& out : samples.values) {
    std::uint32_t value = 0;
    if (plain) {
      value = scanner.number("a value");
    } else {
      value = scanner.byte();
      if (wide == 2) value = value << 8 | scanner.byte();
    }
    if (value > maxval)
      file.damaged("a value is " + std::to_string(value) + ", above its maxval of " + std::to_string(maxval));
    out = table[value];
  }
  return samples;
}

}  // namespace octavo::detail
