// Decoding against Pillow's convert("RGB"), and pictures that are none.
#include <cstdlib>
#include <iostream>

#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

struct Difference {
  int largest = 0;
  double mean = 0;
};

Difference difference(const Image& image, const Json& entry) {
  const std::vector<std::uint8_t> expected = reference(entry.at("rgb"));
  REQUIRE(image.height == entry.at("height").as_int());
  REQUIRE(image.width == entry.at("width").as_int());
  REQUIRE(image.rgb.size() == expected.size());
  Difference result;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const int one = std::abs(int{image.rgb[i]} - int{expected[i]});
    result.largest = std::max(result.largest, one);
    result.mean += one / static_cast<double>(expected.size());
  }
  return result;
}

bool is_jpeg(const std::string& file) { return file.size() > 4 && file.substr(file.size() - 4) == ".jpg"; }

Image decode(const std::vector<std::uint8_t>& bytes) {
  return decode_image(std::as_bytes(std::span<const std::uint8_t>(bytes)), "picture");
}

}  // namespace

TEST_CASE("lossless formats decode to Pillow's bytes", "[image]") {
  const Json entries = manifest("decode");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string file = entries.at(i).at("file").as_string();
    if (is_jpeg(file)) continue;
    INFO(file);
    CHECK(difference(load_image(image_path(file)), entries.at(i)).largest == 0);
  }
}

TEST_CASE("JPEG decodes within a few levels of libjpeg-turbo", "[image]") {
  // The inverse transforms round differently, and colour is brought up to full size by different filters.
  const Json entries = manifest("decode");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string file = entries.at(i).at("file").as_string();
    if (!is_jpeg(file)) continue;
    INFO(file);
    const Difference found = difference(load_image(image_path(file)), entries.at(i));
    CHECK(found.largest <= 8);
    CHECK(found.mean <= 1);
  }
}

TEST_CASE("decoding: the largest differences", "[image][report]") {
  const Json entries = manifest("decode");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string file = entries.at(i).at("file").as_string();
    const Difference found = difference(load_image(image_path(file)), entries.at(i));
    std::cout << "[report] decode " << file << ": largest difference from Pillow " << found.largest << " of 255, mean "
              << found.mean << "\n";
  }
}

TEST_CASE("what is no picture is refused by name", "[image]") {
  REQUIRE_THROWS_WITH(decode({}), "picture: the file is empty, a picture is needed");
  REQUIRE_THROWS_WITH(decode({'h', 'e', 'l', 'l', 'o'}),
                      "picture: not a picture that can be read (PNG, JPEG, BMP, GIF, PNM): unknown image type");
  REQUIRE_THROWS_WITH(load_image(image_path("cmyk.jpg")),
                      image_path("cmyk.jpg") + ": a CMYK JPEG; convert it to RGB first");
  REQUIRE_THROWS_AS(load_image("/nowhere/at/all.png"), Error);
}

TEST_CASE("a cut PNG is refused wherever it is cut, a cut or damaged file never crashes", "[image]") {
  for (const char* name : {"rgb.png", "palette.png", "interlaced.png", "grey16.png"}) {
    const std::vector<std::uint8_t> whole = read_bytes(image_path(name));
    for (std::size_t length = 0; length + 12 < whole.size(); length += 7) {  // 12: the empty last chunk may be missing
      INFO(name << " cut to " << length);
      REQUIRE_THROWS_AS(decode({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}), Error);
    }
  }
  std::uint32_t state = 1;
  for (const char* name : {"rgb.png", "420_q90.jpg", "progressive.jpg", "palette.gif", "rgb.bmp", "rgb.ppm"}) {
    const std::vector<std::uint8_t> whole = read_bytes(image_path(name));
    for (int round = 0; round < 150; ++round) {
      std::vector<std::uint8_t> bytes = whole;
      for (int change = 0; change < 4; ++change) {
        state = state * 1664525U + 1013904223U;
        bytes[(state >> 8) % std::min<std::size_t>(bytes.size(), 600)] = static_cast<std::uint8_t>(state >> 3);
      }
      try {
        const Image image = decode(bytes);
        REQUIRE(image.rgb.size() == static_cast<std::size_t>(image.height * image.width * 3));
      } catch (const Error&) {
        SUCCEED("refused");
      }
    }
  }
}

TEST_CASE("a picture's size is bounded before anything is allocated", "[image]") {
  std::vector<std::uint8_t> bomb = read_bytes(image_path("rgb.png"));
  bomb[18] = 0x80;  // width: 37 becomes 32805
  bomb[22] = 0x80;  // height: 23 becomes 32791
  REQUIRE_THROWS_WITH(decode(bomb),
                      "picture: a picture of 32805 x 32791 pixels, more than the 268435456 that are accepted");
  for (const std::size_t at : {16U, 20U}) bomb[at] = 0x7F;
  REQUIRE_THROWS_AS(decode(bomb), Error);
}
