// What a file says beside its colours, on pictures small enough to tell every pixel by hand.
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "golden.hpp"
#include "png_checksums.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void chunk(Bytes& png, std::string_view kind, const Bytes& data) {
  append(png, static_cast<std::uint32_t>(data.size()));
  const std::size_t from = png.size();
  png.insert(png.end(), kind.begin(), kind.end());
  png.insert(png.end(), data.begin(), data.end());
  append(png, crc32(png.data() + from, png.size() - from));
}

/// A PNG of the rows in `scan`, each with its filter byte in front. `chunks` stand before the pixels.
Image read_png(std::uint32_t width, std::uint32_t height, std::uint8_t depth, std::uint8_t colour, const Bytes& scan,
               const std::vector<std::pair<std::string_view, Bytes>>& chunks = {}, const DecodeOptions& options = {}) {
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  Bytes header;
  append(header, width);
  append(header, height);
  for (const std::uint8_t byte : {depth, colour, std::uint8_t{0}, std::uint8_t{0}, std::uint8_t{0}})
    header.push_back(byte);
  chunk(png, "IHDR", header);
  for (const auto& [kind, data] : chunks) chunk(png, kind, data);
  const auto length = static_cast<std::uint16_t>(scan.size());
  Bytes stored{0x78,
               0x01,
               1,
               static_cast<std::uint8_t>(length),
               static_cast<std::uint8_t>(length >> 8),
               static_cast<std::uint8_t>(~length),
               static_cast<std::uint8_t>(~length >> 8)};
  stored.insert(stored.end(), scan.begin(), scan.end());
  std::uint32_t a = 1, b = 0;
  for (const std::uint8_t byte : scan) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  append(stored, b << 16 | a);
  chunk(png, "IDAT", stored);
  chunk(png, "IEND", {});
  return decode_image(std::as_bytes(std::span<const std::uint8_t>(png)), "picture", options);
}

Bytes orientation(std::uint8_t value) {
  return {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0};
}

/// The red values in rows.
std::vector<Bytes> rows(const Image& image) {
  std::vector<Bytes> result(static_cast<std::size_t>(image.height));
  for (std::size_t i = 0; i < image.rgb.size(); i += 3)
    result[i / 3 / static_cast<std::size_t>(image.width)].push_back(image.rgb[i]);
  return result;
}

}  // namespace

TEST_CASE("the eight orientations put every pixel where EXIF says", "[image]") {
  // Stored: 1 2 3 above 4 5 6. EXIF 2.3, tag 0112: where row 0 and column 0 of the stored picture are seen.
  const Bytes scan{0, 1, 2, 3, 0, 4, 5, 6};
  const std::vector<std::vector<Bytes>> upright{
      {{1, 2, 3}, {4, 5, 6}},    // 1: top, left
      {{3, 2, 1}, {6, 5, 4}},    // 2: top, right
      {{6, 5, 4}, {3, 2, 1}},    // 3: bottom, right
      {{4, 5, 6}, {1, 2, 3}},    // 4: bottom, left
      {{1, 4}, {2, 5}, {3, 6}},  // 5: left, top
      {{4, 1}, {5, 2}, {6, 3}},  // 6: right, top
      {{6, 3}, {5, 2}, {4, 1}},  // 7: right, bottom
      {{3, 6}, {2, 5}, {1, 4}},  // 8: left, bottom
  };
  DecodeOptions off;
  off.apply_orientation = false;
  for (std::uint8_t value = 1; value <= 8; ++value) {
    INFO("orientation " << int{value});
    CHECK(rows(read_png(3, 2, 8, 0, scan, {{"eXIf", orientation(value)}})) == upright[value - 1U]);
    CHECK(rows(read_png(3, 2, 8, 0, scan, {{"eXIf", orientation(value)}}, off)) == upright[0]);
  }
  for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{9}, std::uint8_t{255}})
    CHECK(rows(read_png(3, 2, 8, 0, scan, {{"eXIf", orientation(value)}})) == upright[0]);
}

TEST_CASE("an orientation is found in every form that Pillow takes and in no other", "[image]") {
  const Bytes scan{0, 1, 2};
  const std::vector<Bytes> stored{{1, 2}}, mirrored{{2, 1}};
  const auto seen = [&](const Bytes& exif) { return rows(read_png(2, 1, 8, 0, scan, {{"eXIf", exif}})); };
  const Bytes little{'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0};
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes exif = little;
    exif[at] = value;
    return exif;
  };
  CHECK(seen(little) == mirrored);
  CHECK(seen(orientation(2)) == mirrored);
  CHECK(seen({little.begin(), little.begin() + 20}) == mirrored);  // the value is there
  CHECK(seen(with(12, 4)) == mirrored);                            // long
  CHECK(seen(with(12, 9)) == mirrored);                            // signed long
  CHECK(seen(with(12, 2)) == stored);                              // text
  CHECK(seen(with(14, 2)) == stored);                              // two values
  CHECK(seen(with(10, 0x13)) == stored);                           // another tag
  CHECK(seen(with(4, 200)) == stored);                             // a directory outside the block
  CHECK(seen({little.begin(), little.begin() + 16}) == stored);
  CHECK(seen({little.begin(), little.begin() + 9}) == stored);
  Bytes other_order = little;
  std::swap(other_order[2], other_order[3]);
  CHECK(seen(other_order) == mirrored);

  const auto xmp = [](std::string_view packet) {
    const std::string text = std::string("XML:com.adobe.xmp\0\0\0\0\0", 22).append(packet);
    return Bytes(text.begin(), text.end());
  };
  for (const char* packet : {"<d tiff:Orientation=\"2\">", "<tiff:Orientation>2</tiff:Orientation>"}) {
    CHECK(rows(read_png(2, 1, 8, 0, scan, {{"iTXt", xmp(packet)}})) == mirrored);
    CHECK(rows(read_png(2, 1, 8, 0, scan, {{"eXIf", orientation(1)}, {"iTXt", xmp(packet)}})) == stored);
    CHECK(rows(read_png(2, 1, 8, 0, scan, {{"eXIf", with(10, 0x13)}, {"iTXt", xmp(packet)}})) == mirrored);
  }
  CHECK(rows(read_png(2, 1, 8, 0, scan, {{"iTXt", xmp("tiff:Orientation = 2")}})) == stored);
}

TEST_CASE("every alpha over every value is on white as the exact quotient rounds", "[image]") {
  int wrong = 0;
  for (unsigned first = 0; first < 256; first += 64) {  // four pictures: a stored block holds 65535 bytes
    Bytes scan;
    for (unsigned alpha = first; alpha < first + 64; ++alpha) {
      scan.push_back(0);
      for (unsigned value = 0; value < 256; ++value) {
        scan.push_back(static_cast<std::uint8_t>(value));
        scan.push_back(static_cast<std::uint8_t>(alpha));
      }
    }
    const std::vector<Bytes> found = rows(read_png(256, 64, 8, 4, scan));
    for (unsigned row = 0; row < 64; ++row)
      for (unsigned value = 0; value < 256; ++value) {
        const unsigned alpha = first + row;
        const double exact = (255.0 * (255 - alpha) + static_cast<double>(value * alpha)) / 255;
        if (found[row][value] != std::lround(exact)) ++wrong;
      }
  }
  CHECK(wrong == 0);
  DecodeOptions drop;
  drop.transparency = Transparency::drop;
  CHECK(rows(read_png(2, 1, 8, 4, {0, 10, 0, 200, 128}, {}, drop)) == std::vector<Bytes>{{10, 200}});
  CHECK(rows(read_png(2, 1, 8, 4, {0, 10, 0, 200, 128})) == std::vector<Bytes>{{255, 227}});
}

TEST_CASE("a tRNS colour is compared at the file's own depth", "[image]") {
  // Pillow compares it with pixels that are converted already, and misses it at these depths. PNG, 11.3.2.1.
  CHECK(rows(read_png(4, 1, 4, 0, {0, 0x13, 0x9F}, {{"tRNS", {0, 3}}})) == std::vector<Bytes>{{17, 255, 153, 255}});
  CHECK(rows(read_png(4, 1, 4, 0, {0, 0x13, 0x93}, {{"tRNS", {0, 9}}})) == std::vector<Bytes>{{17, 51, 255, 51}});
  CHECK(rows(read_png(3, 1, 1, 0, {0, 0x40}, {{"tRNS", {0, 0}}})) == std::vector<Bytes>{{255, 255, 255}});
  // 16 bits: 0x1234 is transparent, 0x1235 is not, and both would be 0x12 in 8 bits.
  const Bytes wide{0, 0x12, 0x34, 0x12, 0x34, 0x12, 0x34, 0x12, 0x35, 0x12, 0x34, 0x12, 0x34};
  CHECK(rows(read_png(2, 1, 16, 2, wide, {{"tRNS", {0x12, 0x34, 0x12, 0x34, 0x12, 0x34}}})) ==
        std::vector<Bytes>{{255, 0x12}});
  // Grey is clipped at 255, not scaled, as Pillow's convert("RGB") does it.
  CHECK(rows(read_png(3, 1, 16, 0, {0, 0, 100, 0, 200, 1, 44}, {{"tRNS", {0, 200}}})) ==
        std::vector<Bytes>{{100, 255, 255}});
  CHECK(rows(read_png(3, 1, 16, 0, {0, 0, 100, 0, 200, 1, 44})) == std::vector<Bytes>{{100, 200, 255}});
}

TEST_CASE("the values of a PNM are scaled by its maxval", "[image]") {
  const auto read = [](std::string_view text) {
    return rows(decode_image(std::as_bytes(std::span<const char>(text)), "picture"));
  };
  CHECK(read("P2 3 1 4\n0 1 4") == std::vector<Bytes>{{0, 64, 255}});
  CHECK(read("P2\n# four levels\n3 1\n# and more\n2\n0 1 2\n") == std::vector<Bytes>{{0, 128, 255}});
  CHECK(read("P5 2 1 100\n\x32\x64") == std::vector<Bytes>{{128, 255}});
  CHECK(read("P1 4 2 1001 0 1 1 0") == std::vector<Bytes>{{0, 255, 255, 0}, {255, 0, 0, 255}});
  CHECK_THROWS_WITH(read("P2 3 1 4\n0 1 5"),
                    "picture: the PNM is damaged or cut short: a value is 5, above its maxval of 4");
  for (const char* bad : {"P2 3 1 0\n0 0 0", "P2 3 1 65536\n0 0 0", "P2 3 1 4\n0 1", "P2 0 1 4\n", "P2 3 1 4\n0 x 1",
                          "P1 2 1 2 0", "P6 2", "P2 9999999999 1 4\n0", "P2 -3 1 4\n0 0 0"})
    CHECK_THROWS_AS(read(bad), Error);
}
