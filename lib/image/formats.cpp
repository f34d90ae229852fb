#include "formats.hpp"

#include <algorithm>
#include <string>

namespace octavo::detail {
namespace {

using namespace std::string_view_literals;

constexpr const char* kConvert = "convert it to PNG or JPEG first";
constexpr const char* kFetch = "fetch the picture itself first";

struct Signature {
  std::string_view magic;
  std::string_view more;  ///< of kinds that share a container
  std::size_t more_at;
  Format format;
};

constexpr Signature kSignatures[] = {
    {"\xFF\xD8\xFF"sv, {}, 0, {"JPEG", decode_jpeg, nullptr}},
    {"\x89PNG\r\n\x1A\n"sv, {}, 0, {"PNG", decode_png, nullptr}},
    {"RIFF"sv, "WEBP"sv, 8, {"WebP", decode_webp, nullptr}},
    {"GIF87a"sv, {}, 0, {"GIF", decode_gif, nullptr}},
    {"GIF89a"sv, {}, 0, {"GIF", decode_gif, nullptr}},
    {"BM"sv, {}, 0, {"BMP", decode_bmp, nullptr}},
    {"II*\0"sv, {}, 0, {"TIFF", nullptr, kConvert}},
    {"MM\0*"sv, {}, 0, {"TIFF", nullptr, kConvert}},
    {"II+\0"sv, {}, 0, {"BigTIFF", nullptr, kConvert}},
    {"MM\0+"sv, {}, 0, {"BigTIFF", nullptr, kConvert}},
    {"\0\0\0\x0CJXL \r\n\x87\n"sv, {}, 0, {"JPEG XL", nullptr, kConvert}},
    {"\xFF\x0A"sv, {}, 0, {"JPEG XL", nullptr, kConvert}},
    {"\0\0\0\x0CjP  \r\n\x87\n"sv, {}, 0, {"JPEG 2000", nullptr, kConvert}},
    {"\xFF\x4F\xFF\x51"sv, {}, 0, {"JPEG 2000", nullptr, kConvert}},
    {"8BPS"sv, {}, 0, {"Photoshop", nullptr, kConvert}},
    {"\0\0\1\0"sv, {}, 0, {"Windows icon", nullptr, kConvert}},
    {"\0\0\2\0"sv, {}, 0, {"Windows cursor", nullptr, kConvert}},
    {"DDS "sv, {}, 0, {"DDS", nullptr, kConvert}},
    {"qoif"sv, {}, 0, {"QOI", nullptr, kConvert}},
    {"#?RADIANCE"sv, {}, 0, {"Radiance HDR", nullptr, kConvert}},
    {"\x76\x2F\x31\x01"sv, {}, 0, {"OpenEXR", nullptr, kConvert}},
    {"%PDF-"sv, {}, 0, {"PDF", nullptr, "render its pages to PNG first"}},
    {"\x1A\x45\xDF\xA3"sv, {}, 0, {"Matroska or WebM video", nullptr, "take single pictures out of it first"}},
    {"version https://git-lfs"sv, {}, 0, {"Git LFS pointer", nullptr, "run git lfs pull"}},
    {"<svg"sv, {}, 0, {"SVG", nullptr, "render it to PNG first"}},
    {"<?xml"sv, {}, 0, {"SVG or other XML", nullptr, "render it to PNG first"}},
    {"<!DOCTYPE"sv, {}, 0, {"HTML page", nullptr, kFetch}},
    {"<!doctype"sv, {}, 0, {"HTML page", nullptr, kFetch}},
    {"<html"sv, {}, 0, {"HTML page", nullptr, kFetch}},
};

/// The brand of an ISO media file, which HEIC, AVIF and videos are.
struct Brand {
  std::string_view name;
  Format format;
};

constexpr Brand kBrands[] = {
    {"avif"sv, {"AVIF", nullptr, kConvert}}, {"avis"sv, {"AVIF", nullptr, kConvert}},
    {"heic"sv, {"HEIC", nullptr, kConvert}}, {"heix"sv, {"HEIC", nullptr, kConvert}},
    {"hevc"sv, {"HEIC", nullptr, kConvert}}, {"heim"sv, {"HEIC", nullptr, kConvert}},
    {"heis"sv, {"HEIC", nullptr, kConvert}}, {"mif1"sv, {"HEIF", nullptr, kConvert}},
    {"msf1"sv, {"HEIF", nullptr, kConvert}},
};

constexpr Format kPnm = {"PNM", decode_pnm, nullptr};
constexpr Format kOtherPnm = {"PAM or PFM", nullptr, kConvert};
constexpr Format kVideo = {"MP4 video", nullptr, "take single pictures out of it first"};

}  // namespace

const Format* format_of(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = [&](std::size_t offset, std::string_view wanted) {
    return text.size() >= offset && text.substr(offset).starts_with(wanted);
  };
  for (const Signature& one : kSignatures)
    if (at(0, one.magic) && at(one.more_at, one.more)) return &one.format;
  if (at(4, "ftyp")) {
    for (const Brand& brand : kBrands)
      if (at(8, brand.name)) return &brand.format;
    return &kVideo;
  }
  if (text.size() > 2 && text[0] == 'P') {
    if (text[1] >= '1' && text[1] <= '6' && " \t\r\n\v\f#"sv.find(text[2]) != std::string_view::npos) return &kPnm;
    if ("7Ff"sv.find(text[1]) != std::string_view::npos && (text[2] == '\n' || text[2] == '\r' || text[2] == ' '))
      return &kOtherPnm;
  }
  return nullptr;
}

}  // namespace octavo::detail
