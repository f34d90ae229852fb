// The mistake of docs/shape_errors.md that pictures see: sizes after resizing that differ from the reference, so that
// boxes drift. The expected sizes are worked out by hand from the reference's rule (round each side to a multiple of 28
// by itself; above max_pixels shrink both by one factor, then round down).
#include "catch.hpp"
#include "octavo/image.hpp"

using octavo::ImageSize;

TEST_CASE("mistake 14: non-square pictures get the reference's size, each side by itself") {
  struct Case {
    ImageSize from;
    std::int64_t max_pixels;
    ImageSize to;
  };
  const Case cases[] = {
      {{427, 640}, 12845056, {420, 644}},      // 15.25 -> 15, 22.86 -> 23: one side shrinks, the other grows
      {{480, 640}, 12845056, {476, 644}},      // 17.14 -> 17
      {{1080, 1920}, 12845056, {1092, 1932}},  // 38.57 -> 39, 68.57 -> 69
      {{2000, 3000}, 1003520, {812, 1204}},    // by sqrt(6e6 / 1003520) = 2.4452: 29.21 -> 29, 43.82 -> 43
  };
  for (const Case& one : cases) {
    const ImageSize size = octavo::smart_resize(one.from, 28, 3136, one.max_pixels);
    INFO(one.from.width << " x " << one.from.height);
    CHECK((size.height == one.to.height && size.width == one.to.width));
  }
}

TEST_CASE("mistake 14: boxes refer to PixelPatches::resized, and each axis has its own factor") {
  octavo::Image picture;
  picture.height = 427;
  picture.width = 640;
  picture.rgb.assign(static_cast<std::size_t>(427 * 640 * 3), 0);
  const octavo::PixelPatches patches = octavo::patchify(picture, {});
  CHECK((patches.grid.t == 1 && patches.grid.h == 30 && patches.grid.w == 46));
  CHECK((patches.resized.height == 420 && patches.resized.width == 644));
  // The lower right corner of the answer's picture is the corner of the original one.
  const double x = 644.0 * static_cast<double>(picture.width) / static_cast<double>(patches.resized.width);
  const double y = 420.0 * static_cast<double>(picture.height) / static_cast<double>(patches.resized.height);
  CHECK((x == 640.0 && y == 427.0));
}
