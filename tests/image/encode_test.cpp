#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "octavo/image.hpp"

using namespace octavo;

TEST_CASE("a JPEG that is written is read as about the same picture") {
  Image image;
  image.height = 37;  // no multiple of a JPEG's blocks
  image.width = 61;
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (const double channel : {4.0 * static_cast<double>(x), 6.5 * static_cast<double>(y),
                                   128 + 100 * std::sin(static_cast<double>(x + y) / 12)})
        image.rgb.push_back(static_cast<std::uint8_t>(std::lround(channel)));
  const Image read = decode_image(encode_jpeg(image, 95), "made here");
  REQUIRE(read.height == 37);
  REQUIRE(read.width == 61);
  REQUIRE(read.rgb.size() == image.rgb.size());
  int worst = 0;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) worst = std::max(worst, std::abs(image.rgb[i] - read.rgb[i]));
  CHECK(worst <=
        12);  // smooth, so that quantization of frequencies costs a few of 256 levels; another picture far more
  CHECK(encode_jpeg(image, 20).size() < encode_jpeg(image, 95).size());
}

TEST_CASE("a JPEG refuses what is no picture") {
  Image image;
  image.height = image.width = 2;
  image.rgb.resize(12);
  CHECK_NOTHROW(encode_jpeg(image));
  CHECK_THROWS_AS(encode_jpeg(image, 0), Error);
  CHECK_THROWS_AS(encode_jpeg(image, 101), Error);
  image.rgb.resize(11);
  CHECK_THROWS_AS(encode_jpeg(image), Error);
  image.rgb.clear();
  image.height = 0;
  CHECK_THROWS_AS(encode_jpeg(image), Error);
  image.height = 70000;
  image.width = 1;
  image.rgb.resize(210000);
  CHECK_THROWS_AS(encode_jpeg(image), Error);
}

TEST_CASE("a PNG that is written is read as the same picture and holds its comment") {
  Image image;
  image.height = 5;
  image.width = 7;
  for (int i = 0; i < 5 * 7 * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 37 + i * i));
  const std::vector<std::byte> bytes = encode_png(image, "made for a test");
  const DecodedImage read = decode_image_file(bytes, "made here");
  CHECK(read.format == "PNG");
  CHECK_FALSE(read.transparent);
  CHECK(read.image.height == 5);
  CHECK(read.image.width == 7);
  CHECK(read.image.rgb == image.rgb);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(text.find("made for a test") < 200);
  CHECK(encode_png(image) == encode_png(image));
}

TEST_CASE("a JPEG holds its comment near its beginning") {
  Image image{8, 8, std::vector<std::uint8_t>(192, 90)};
  const std::vector<std::byte> bytes = encode_jpeg(image, 90, "made for a test");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(text.find("made for a test") < 4096);
  CHECK(decode_image(bytes, "made here").rgb == decode_image(encode_jpeg(image, 90), "made here").rgb);
  CHECK_THROWS_AS(encode_jpeg(image, 90, "two\nlines"), Error);
}

TEST_CASE("a PNG refuses what is no picture") {
  Image image{2, 2, std::vector<std::uint8_t>(12)};
  CHECK_NOTHROW(encode_png(image));
  CHECK_THROWS_AS(encode_png(image, "caf\xC3\xA9"), Error);
  image.rgb.resize(13);
  CHECK_THROWS_AS(encode_png(image), Error);
  CHECK_THROWS_AS(encode_png(Image{0, 2, {}}), Error);
  CHECK_THROWS_AS(encode_png(Image{1, 1'000'001, std::vector<std::uint8_t>(3'000'003)}), Error);
}
