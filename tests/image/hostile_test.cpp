// Pictures that are cut, damaged, too large, or none: an error or a picture, never anything else.
#include <algorithm>
#include <map>
#include <set>

#include "catch.hpp"
#include "golden.hpp"
#include "png_checksums.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

Image decode(const Bytes& bytes, const DecodeOptions& options = {}) {
  return decode_image(std::as_bytes(std::span<const std::uint8_t>(bytes)), "picture", options);
}

Bytes text(std::string_view characters) { return {characters.begin(), characters.end()}; }

/// Each file once: its path and format.
std::map<std::string, std::string> files() {
  std::map<std::string, std::string> found;
  const Pictures pictures;
  for (std::size_t i = 0; i < pictures.entries().size(); ++i) {
    const std::string kind = pictures.entries().at(i).at("kind").as_string();
    found[Pictures::path(pictures.entries().at(i))] = kind.substr(0, kind.find(' '));
  }
  return found;
}

}  // namespace

TEST_CASE("what is no picture is refused by name", "[image]") {
  CHECK_THROWS_WITH(decode({}), "picture: the file is empty, a picture is needed");
  CHECK_THROWS_WITH(decode(text("hello")),
                    "picture: not a picture that is known by its first bytes (JPEG, PNG, WebP, GIF, BMP, PNM)");
  CHECK_THROWS_AS(load_image("/nowhere/at/all.png"), Error);
}

TEST_CASE("kinds of picture that are not read are named with what to do", "[image]") {
  using namespace std::string_literals;
  const std::map<std::string, std::string> kinds{{"II*\0____"s, "TIFF"},
                                                 {"MM\0*____"s, "TIFF"},
                                                 {"\0\0\0\x1C"
                                                  "ftypheic____"s,
                                                  "HEIC"},
                                                 {"\0\0\0\x1C"
                                                  "ftypmif1____"s,
                                                  "HEIF"},
                                                 {"\0\0\0\x1C"
                                                  "ftypavif____"s,
                                                  "AVIF"},
                                                 {"\0\0\0\x1C"
                                                  "ftypisom____"s,
                                                  "MP4 video"},
                                                 {"\0\0\0\x0C"
                                                  "JXL \r\n\x87\n"s,
                                                  "JPEG XL"},
                                                 {"\xFF\x0A__"s, "JPEG XL"},
                                                 {"\0\0\0\x0C"
                                                  "jP  \r\n\x87\n"s,
                                                  "JPEG 2000"},
                                                 {"8BPS____"s, "Photoshop"},
                                                 {"P7\nWIDTH 1"s, "PAM or PFM"},
                                                 {"%PDF-1.7"s, "PDF"},
                                                 {"<svg xmlns"s, "SVG"},
                                                 {"<!DOCTYPE html>"s, "HTML page"},
                                                 {"version https://git-lfs.github.com/spec/v1"s, "Git LFS pointer"}};
  for (const auto& [bytes, name] : kinds) {
    INFO(name);
    try {
      decode(text(bytes));
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::unsupported);
      CHECK(std::string(error.what()).find("picture: this is of the kind " + name + ", which is not read") == 0);
      const std::string message = error.what();
      CHECK((message.ends_with(" first") || message.ends_with("run git lfs pull")));
    }
  }
}

TEST_CASE("a format is known by its content whatever the file is called", "[image]") {
  for (const auto& [path, format] : files()) {
    const Bytes bytes = read_bytes(path);
    CHECK(decode_image_file(std::as_bytes(std::span<const std::uint8_t>(bytes)), "photo.jpg").format == format);
  }
}

TEST_CASE("a cut picture is refused wherever it is cut", "[image]") {
  for (const auto& [path, format] : files()) {
    const Bytes whole = read_bytes(path);
    // The padding of a bitmap's last row and white space at the end of a PNM hold no pixels.
    const std::size_t spare = format == "BMP" || format == "PNM" ? 3 : 0;
    for (std::size_t length = 0; length + spare < whole.size(); length += 1 + length / 40) {
      INFO(path << " cut to " << length << " of " << whole.size());
      REQUIRE_THROWS_AS(decode({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}), Error);
    }
    INFO(path << " cut by one byte");
    if (spare == 0) CHECK_THROWS_AS(decode({whole.begin(), whole.end() - 1}), Error);
    CHECK_NOTHROW(decode(whole));
  }
}

TEST_CASE("thousands of damaged pictures give an error or a picture", "[image]") {
  std::uint32_t state = 1;
  const auto next = [&](std::size_t below) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % below;
  };
  DecodeOptions options;
  options.max_pixels = 1 << 20;
  std::map<std::string, std::pair<int, int>> outcomes;  // read, refused
  for (const auto& [path, format] : files()) {
    const Bytes whole = read_bytes(path);
    for (int round = 0; round < 150; ++round) {
      Bytes bytes = whole;
      const std::size_t reach = round % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 64);  // the header
      for (std::size_t change = 0; change < 1 + next(6); ++change)
        bytes[next(reach)] = static_cast<std::uint8_t>(next(256));
      if (round % 5 == 0) bytes.resize(1 + next(bytes.size()));
      if (round % 7 == 0)
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(next(bytes.size())), 1 + next(9), 0xFF);
      if (round % 3 != 0) mend_checksums(bytes);
      try {
        const Image image = decode(bytes, options);
        REQUIRE(image.height * image.width <= options.max_pixels);
        REQUIRE(image.rgb.size() == static_cast<std::size_t>(image.height * image.width * 3));
        ++outcomes[format].first;
      } catch (const Error&) {
        ++outcomes[format].second;
      }
    }
  }
  REQUIRE(outcomes.size() == 6);
  for (const auto& [format, counts] : outcomes) {
    INFO(format << ": " << counts.first << " read, " << counts.second << " refused");
    CHECK((counts.first > 0 && counts.second > 0));
  }
}

TEST_CASE("files that once were read in spite of their damage are refused", "[image]") {
  // Huffman tables that overflow, one flipped byte of compressed data, a PPM of a header alone.
  for (const char* name : {"huffman_counts.jpg", "huffman_table.jpg", "idat_byte.png", "sixteen_bytes.ppm"}) {
    INFO(name);
    CHECK_THROWS_AS(load_image(std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/pictures/damaged/" + name), Error);
  }
}

TEST_CASE("a PNG whose checksums do not fit is refused", "[image]") {
  const Bytes whole = read_bytes(image_path("rgb.png"));
  const std::string_view view(reinterpret_cast<const char*>(whole.data()), whole.size());
  const std::size_t data = view.find("IDAT") + 4, end = view.find("IEND") - 8;
  REQUIRE(end > data);
  for (const std::size_t at : {data + 20, end - 1, end + 1}) {  // inside, Adler's sum, the chunk's CRC
    Bytes bytes = whole;
    bytes[at] ^= 1U;
    INFO("byte " << at);
    CHECK_THROWS_AS(decode(bytes), Error);
  }
}

TEST_CASE("a picture's size is bounded before anything is allocated", "[image]") {
  Bytes bomb = read_bytes(image_path("rgb.png"));
  bomb[18] = 0x80;                       // width: 37 becomes 32805
  bomb[22] = 0x80;                       // height: 23 becomes 32791
  CHECK_THROWS_AS(decode(bomb), Error);  // the header's checksum does not fit
  CHECK_THROWS_WITH(
      decode(text("P6 32805 32791 255\n")),
      "picture: the PNM is 32805 x 32791 pixels, more than the 178956970 that are accepted (max_pixels of "
      "DecodeOptions, --max-decoded-pixels)");
  CHECK_THROWS_AS(decode(text("P6 999999999 999999999 255\n")), Error);
  CHECK_THROWS_AS(decode(text("P5 13377 13377 255\n")), Error);  // within the bound, but the file holds no pixels
  for (const auto& [path, format] : files()) {
    const Bytes whole = read_bytes(path);
    const Image image = decode(whole);
    const std::int64_t pixels = image.height * image.width;
    DecodeOptions options;
    options.max_pixels = pixels;
    CHECK_NOTHROW(decode(whole, options));
    if (pixels > 1) {
      options.max_pixels = pixels - 1;
      INFO(path);
      CHECK_THROWS_AS(decode(whole, options), Error);
    }
    options.max_pixels = pixels;
    options.max_bytes = 4 * pixels - 1;  // no format takes less than one byte and the result's three
    CHECK_THROWS_AS(decode(whole, options), Error);
  }
}

TEST_CASE("bounds that are none are refused", "[image]") {
  const Bytes whole = read_bytes(image_path("rgb.png"));
  for (const std::int64_t bound : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    DecodeOptions pixels, memory;
    pixels.max_pixels = memory.max_bytes = bound;
    CHECK_THROWS_AS(decode(whole, pixels), Error);
    CHECK_THROWS_AS(decode(whole, memory), Error);
  }
}
