// Each setting of preprocessor_config.json against transformers' processor, and the files that may hold them.
#include <cstring>

#include "catch.hpp"
#include "golden.hpp"
#include "scratch.hpp"

using namespace octavo;
using namespace octavo::test;
using ::test::ScratchDirectory;

namespace {

/// As tests/golden/image/processor_settings.py makes it.
Image picture(std::int64_t width, std::int64_t height) {
  Image image{height, width, {}};
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        image.rgb.push_back(static_cast<std::uint8_t>((x * x + 7 * y * (c + 1) + 50 * c) % 256));
  return image;
}

std::string error_of(const std::string& directory) {
  try {
    ImageProcessorConfig::open(directory);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every setting does what it does in transformers or is refused", "[image]") {
  const Json golden = Json::read_file(image_path("processor_settings.json"));
  const Json cases = golden.at("cases");
  REQUIRE(cases.size() == 25);
  int equal = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Json one = cases.at(i);
    const std::string name = one.at("name").as_string();
    CAPTURE(name);
    const ScratchDirectory scratch;
    scratch.write("preprocessor_config.json", one.at("settings").dump());
    const Json outcome = one.at("outcome");
    // What transformers does and Octavo does not: another filter is refused when the file is read.
    if (outcome.find("error") || name == "resample 2") {
      CHECK_THROWS_AS(
          [&] {
            const ImageProcessorConfig config = ImageProcessorConfig::open(scratch.path());
            patchify(picture(one.at("width").as_int(), one.at("height").as_int()), config);
          }(),
          Error);
      continue;
    }
    const ImageProcessorConfig config = ImageProcessorConfig::open(scratch.path());
    const PixelPatches made = patchify(picture(one.at("width").as_int(), one.at("height").as_int()), config);
    CHECK(made.grid.h == outcome.at("grid").at(1).as_int());
    CHECK(made.grid.w == outcome.at("grid").at(2).as_int());
    CHECK(made.pixel_values.dim(1) == outcome.at("columns").as_int());
    if (const auto expected = outcome.find("fnv")) {
      CHECK(fnv(made.pixel_values.raw(), made.pixel_values.size_bytes()) == expected->as_string());
      ++equal;
    }
  }
  CHECK(equal == 17);
}

TEST_CASE("transformers 5 keeps the settings in processor_config.json, which then counts", "[image]") {
  const ScratchDirectory scratch;
  CHECK(error_of(scratch.path()).find("has neither preprocessor_config.json nor processor_config.json") !=
        std::string::npos);
  scratch.write("processor_config.json", R"({"processor_class": "Qwen2_5_VLProcessor"})");
  CHECK(error_of(scratch.path()).find("has no image_processor, and there is no preprocessor_config.json") !=
        std::string::npos);
  scratch.write("preprocessor_config.json", R"({"max_pixels": 6272})");
  CHECK(ImageProcessorConfig::open(scratch.path()).max_pixels == 6272);
  scratch.write(
      "processor_config.json",
      R"({"image_processor": {"size": {"shortest_edge": 784, "longest_edge": 7840}, "do_normalize": false}})");
  const ImageProcessorConfig nested = ImageProcessorConfig::open(scratch.path());
  CHECK(nested.max_pixels == 7840);
  CHECK(nested.min_pixels == 784);
  CHECK_FALSE(nested.do_normalize);
  CHECK(nested.where == scratch.path("processor_config.json") + ": image_processor");
  scratch.write("processor_config.json", R"({"image_processor": {"resample": 0}})");
  CHECK(error_of(scratch.path()) ==
        scratch.path("processor_config.json") +
            ": image_processor.resample is 0, Octavo has 3: Pillow's filter; 3 is bicubic.");
}

TEST_CASE("values that no picture could be prepared with are refused", "[image]") {
  const std::string settings =
      GENERATE(as<std::string>(), R"({"image_std": 0})", R"({"image_std": [1, 1]})", R"({"rescale_factor": 0})",
               R"({"do_resize": null})", R"({"patch_size": 0})", R"({"max_pixels": -1})",
               R"({"size": {"shortest_edge": 1.5}})", "[]", R"({"do_normalize": "yes"})", R"({"merge_size": 65})");
  CAPTURE(settings);
  const ScratchDirectory scratch;
  scratch.write("preprocessor_config.json", settings);
  CHECK_FALSE(error_of(scratch.path()).empty());
}
