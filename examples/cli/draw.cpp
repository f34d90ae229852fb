#include "draw.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <octavo/box_labels.hpp>
#include <octavo/checkpoint.hpp>
#include <octavo/message.hpp>
#include <string_view>
#include <vector>

#include "program.hpp"

namespace cli {

namespace {

constexpr std::string_view kMark = "boxes drawn by octavo generate --draw";  // only such a picture is replaced
constexpr int kQuality = 92;

bool ends_in(const std::string& path, std::string_view ending) {
  return path.size() > ending.size() &&
         std::equal(ending.rbegin(), ending.rend(), path.rbegin(), [](char wanted, char letter) {
           return wanted == static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
         });
}

}  // namespace

void require_drawing_path(const std::string& path) {
  if (!ends_in(path, ".png") && !ends_in(path, ".jpg") && !ends_in(path, ".jpeg"))
    throw UsageError("--draw is \"" + path + "\", a name that ends in .png, .jpg or .jpeg is needed");
  octavo::check_new_file(path, kMark);
}

void write_drawing(const std::string& path, octavo::Image image, std::span<const octavo::Box> boxes,
                   std::span<const std::string> labels) {
  const std::size_t drawn = octavo::draw_boxes(image, boxes, labels);
  const std::vector<std::byte> bytes =
      ends_in(path, ".png") ? octavo::encode_png(image, kMark) : octavo::encode_jpeg(image, kQuality, kMark);
  const octavo::NewFile file{path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kMark};
  octavo::write_files({&file, 1});
  std::fprintf(stderr, "%s: %zu of %zu box%s drawn%s\n", path.c_str(), drawn, boxes.size(),
               boxes.size() == 1 ? "" : "es", drawn < boxes.size() ? "; the others lie outside the picture" : "");
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (!labels[i].empty()) std::fprintf(stderr, "  %zu %s\n", i + 1, octavo::shortened(labels[i]).c_str());
}

}  // namespace cli
