// smart_resize, the resampling and the pixel values against Pillow and transformers.
#include <cmath>
#include <cstring>
#include <iostream>

#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

int resize_difference(const Json& entry) {
  const Image out = resize_bicubic(load_image(image_path(entry.at("file").as_string()), converted()),
                                   {entry.at("height").as_int(), entry.at("width").as_int()});
  const std::vector<std::uint8_t> sample = reference(entry.at("sample"));
  const auto stride = static_cast<std::size_t>(entry.at("stride").as_int());
  int largest = 0;
  for (std::size_t i = 0; i < sample.size(); ++i)
    largest = std::max(largest, std::abs(int{out.rgb.at(i * stride)} - int{sample[i]}));
  if (largest == 0) CHECK(fnv(out.rgb.data(), out.rgb.size()) == entry.at("fnv").as_string());
  return largest;
}

double pixel_difference(const Json& entry) {
  ImageProcessorConfig config;
  config.min_pixels = entry.at("min_pixels").as_int();
  config.max_pixels = entry.at("max_pixels").as_int();
  const PixelPatches patches = patchify(load_image(image_path(entry.at("file").as_string()), converted()), config);
  CHECK(patches.grid.t == entry.at("grid").at(std::size_t{0}).as_int());
  CHECK(patches.grid.h == entry.at("grid").at(1).as_int());
  CHECK(patches.grid.w == entry.at("grid").at(2).as_int());
  CHECK(patches.resized.height == patches.grid.h * 14);
  CHECK(patches.resized.width == patches.grid.w * 14);
  REQUIRE(patches.pixel_values.dim(0) == entry.at("shape").at(std::size_t{0}).as_int());
  REQUIRE(patches.pixel_values.dim(1) == entry.at("shape").at(1).as_int());
  const float* values = patches.pixel_values.data<float>();
  const std::vector<std::uint8_t> bytes = reference(entry.at("sample"));
  std::vector<float> sample(bytes.size() / sizeof(float));
  std::memcpy(sample.data(), bytes.data(), bytes.size());
  const auto stride = static_cast<std::size_t>(entry.at("stride").as_int());
  double largest = 0;
  for (std::size_t i = 0; i < sample.size(); ++i)
    largest = std::max(largest, std::abs(double{values[i * stride]} - double{sample[i]}));
  if (largest == 0)  // then all values are the same bits, not only the sample
    CHECK(fnv(values, static_cast<std::size_t>(patches.pixel_values.numel()) * sizeof(float)) ==
          entry.at("fnv").as_string());
  return largest;
}

std::string label(const Json& entry) { return entry.at("file").as_string() + " " + entry.dump(); }

}  // namespace

TEST_CASE("smart_resize gives the reference's sizes, and refuses where it refuses", "[image]") {
  const Json cases = manifest("smart_resize");
  std::size_t refused = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Json one = cases.at(i);
    INFO(one.dump());
    const ImageSize size{one.at(std::size_t{0}).as_int(), one.at(1).as_int()};
    const auto resize = [&] { return smart_resize(size, 28, one.at(2).as_int(), one.at(3).as_int()); };
    if (one.at(4).is_null()) {
      ++refused;
      REQUIRE_THROWS_AS(resize(), Error);
    } else {
      REQUIRE(resize().height == one.at(4).at(std::size_t{0}).as_int());
      REQUIRE(resize().width == one.at(4).at(1).as_int());
    }
  }
  REQUIRE(refused > 0);
}

TEST_CASE("smart_resize names what is wrong", "[image]") {
  REQUIRE_THROWS_WITH(smart_resize({0, 5}, 28, 3136, 1003520), "smart_resize: a picture of 5 x 0 pixels");
  REQUIRE_THROWS_WITH(smart_resize({1, 201}, 28, 3136, 1003520),
                      "smart_resize: a picture of 201 x 1 pixels is more than 200 times as long as it is wide");
  REQUIRE_NOTHROW(smart_resize({1, 200}, 28, 3136, 1003520));
  REQUIRE_THROWS_AS(smart_resize({5, 5}, 0, 3136, 1003520), Error);
}

TEST_CASE("resize_bicubic is Pillow's, bit for bit", "[image]") {
  const Json entries = manifest("resize");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    INFO(label(entries.at(i)));
    CHECK(resize_difference(entries.at(i)) == 0);
  }
}

TEST_CASE("resize_bicubic refuses a picture whose bytes do not fit", "[image]") {
  REQUIRE_THROWS_WITH(resize_bicubic(Image{2, 2, std::vector<std::uint8_t>(11)}, {1, 1}),
                      "resize: the picture has 11 bytes, 2 x 2 pixels of RGB need 12");
  REQUIRE_THROWS_WITH(resize_bicubic(Image{1, 1, std::vector<std::uint8_t>(3)}, {0, 1}), "resize: to 1 x 0 pixels");
}

TEST_CASE("pixel values and grids are the image processor's, bit for bit", "[image]") {
  const Json entries = manifest("pixels");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    INFO(label(entries.at(i)));
    CHECK(pixel_difference(entries.at(i)) == 0);
  }
}

TEST_CASE("preprocessing: the largest differences", "[image][report]") {
  int levels = 0;
  double values = 0;
  const Json resized = manifest("resize");
  const Json pixels = manifest("pixels");
  for (std::size_t i = 0; i < resized.size(); ++i) levels = std::max(levels, resize_difference(resized.at(i)));
  for (std::size_t i = 0; i < pixels.size(); ++i) values = std::max(values, pixel_difference(pixels.at(i)));
  std::cout << "[report] resize: " << resized.size() << " jobs, largest difference from Pillow "
            << manifest("versions").at("pillow").as_string() << ": " << levels << " levels\n"
            << "[report] pixel_values: " << pixels.size()
            << " pictures and limits, largest difference from transformers "
            << manifest("versions").at("transformers").as_string() << ": " << values << "\n";
}
