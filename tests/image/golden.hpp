// What tests/golden/image/make.py and tests/interop/pictures_check.py --fixtures wrote.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "octavo/image.hpp"
#include "octavo/json.hpp"

namespace octavo::test {

inline std::string image_path(const std::string& file) {
  return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/image/" + file;
}

inline std::vector<std::uint8_t> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline Json manifest(const std::string& key) {
  static const Json json = Json::read_file(image_path("manifest.json"));
  return json.at(key);
}

inline std::vector<std::uint8_t> reference(const Json& place) {
  static const std::vector<std::uint8_t> all = read_bytes(image_path("reference.bin"));
  const auto begin = all.begin() + place.at("offset").as_int();
  return {begin, begin + place.at("size").as_int()};
}

/// As Pillow's convert("RGB") alone, which is what tests/golden/image holds.
inline DecodeOptions converted() {
  DecodeOptions options;
  options.apply_orientation = false;
  options.transparency = Transparency::drop;
  return options;
}

/// The files of tests/golden/pictures, and what Pillow makes of them.
class Pictures {
 public:
  const Json& entries() const { return entries_; }
  static std::string path(const Json& entry) { return folder() + entry.at("file").as_string(); }
  std::vector<std::uint8_t> values(const Json& entry) const {
    const auto begin = all_.begin() + entry.at("rgb").at("offset").as_int();
    return {begin, begin + entry.at("rgb").at("size").as_int()};
  }

 private:
  static std::string folder() { return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/pictures/"; }
  Json entries_ = Json::read_file(folder() + "manifest.json").at("decode");
  std::vector<std::uint8_t> all_ = read_bytes(folder() + "reference.bin");
};

// FNV-1a of 64 bits, in the hexadecimal of the manifest.
inline std::string fnv(const void* data, std::size_t size) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (std::size_t i = 0; i < size; ++i) value = (value ^ static_cast<const std::uint8_t*>(data)[i]) * 0x100000001b3U;
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[15 - i] = "0123456789abcdef"[(value >> (4 * i)) & 15U];
  return text;
}

}  // namespace octavo::test
