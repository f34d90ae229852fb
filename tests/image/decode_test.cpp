// Decoding against Pillow: the files and values are made by tests/interop/pictures_check.py --fixtures and
// tests/golden/image/make.py.
#include <cstdlib>
#include <iostream>
#include <map>

#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

/// Levels of 255 by which the worst sample differs; 256 for another size.
int difference(const Image& image, const Json& entry, const std::vector<std::uint8_t>& expected) {
  if (image.height != entry.at("height").as_int() || image.width != entry.at("width").as_int()) return 256;
  if (image.rgb.size() != expected.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(int{image.rgb[i]} - int{expected[i]}));
  return largest;
}

}  // namespace

TEST_CASE("pictures decode to Pillow's convert RGB level by level", "[image]") {
  const Json entries = manifest("decode");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string file = entries.at(i).at("file").as_string();
    INFO(file);
    CHECK(difference(load_image(image_path(file), converted()), entries.at(i), reference(entries.at(i).at("rgb"))) ==
          0);
  }
}

TEST_CASE("every kind of picture decodes as Pillow with orientation and transparency on and off", "[image]") {
  const Pictures pictures;
  std::map<std::string, int> kinds;
  for (std::size_t i = 0; i < pictures.entries().size(); ++i) {
    const Json& entry = pictures.entries().at(i);
    DecodeOptions options;
    options.apply_orientation = entry.at("upright").as_bool();
    options.transparency = entry.at("white").as_bool() ? Transparency::white : Transparency::drop;
    const std::string kind = entry.at("kind").as_string();
    INFO(kind << " in " << entry.at("file").as_string() << ", upright " << options.apply_orientation);
    const Image image = load_image(pictures.path(entry), options);
    CHECK(difference(image, entry, pictures.values(entry)) == 0);
    ++kinds[kind];
  }
  CHECK(kinds.size() >= 30);
}

TEST_CASE("decoding: the largest difference per kind", "[image][report]") {
  const Pictures pictures;
  std::map<std::string, int> largest;
  for (std::size_t i = 0; i < pictures.entries().size(); ++i) {
    const Json& entry = pictures.entries().at(i);
    DecodeOptions options;
    options.apply_orientation = entry.at("upright").as_bool();
    options.transparency = entry.at("white").as_bool() ? Transparency::white : Transparency::drop;
    int& worst = largest[entry.at("kind").as_string()];
    worst = std::max(worst, difference(load_image(pictures.path(entry), options), entry, pictures.values(entry)));
  }
  for (const auto& [kind, levels] : largest)
    std::cout << "[report] decode " << kind << ": largest difference from Pillow " << levels << " of 255\n";
}
