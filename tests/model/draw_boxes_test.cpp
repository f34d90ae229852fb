// Boxes in a picture, looked at pixel by pixel.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/box_labels.hpp"

using namespace octavo;

namespace {

constexpr std::uint8_t kGround = 100;

struct Place {
  std::int64_t x = 0, y = 0;
};

Image grey(std::int64_t height, std::int64_t width) {
  return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3), kGround)};
}

std::array<int, 3> pixel(const Image& image, std::int64_t x, std::int64_t y) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

bool touched(const Image& image, std::int64_t x, std::int64_t y) {
  return pixel(image, x, y) != std::array<int, 3>{kGround, kGround, kGround};
}

/// Columns x .. right and rows y .. bottom that were drawn on, the last ones excluded.
int touched_in(const Image& image, std::int64_t x, std::int64_t y, std::int64_t right, std::int64_t bottom) {
  int count = 0;
  for (std::int64_t row = y; row < bottom; ++row)
    for (std::int64_t column = x; column < right; ++column) count += touched(image, column, row) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a box is a bright line with a dark rim along its edges and nothing else") {
  Image image = grey(100, 120);
  CHECK(draw_boxes(image, std::vector<Box>{Box{20, 30, 80, 70}}) == 1);
  for (const Place& at : std::vector<Place>{{20, 50}, {79, 50}, {50, 30}, {50, 69}, {20, 30}, {79, 69}}) {
    CAPTURE(at.x, at.y);
    CHECK(pixel(image, at.x, at.y)[0] + pixel(image, at.x, at.y)[1] > 400);  // bright
  }
  for (const Place& at :
       std::vector<Place>{{19, 50}, {21, 50}, {80, 50}, {78, 50}, {50, 29}, {50, 31}, {50, 70}, {50, 68}}) {
    CAPTURE(at.x, at.y);
    CHECK(pixel(image, at.x, at.y) == std::array<int, 3>{0, 0, 0});
  }
  CHECK(touched_in(image, 22, 32, 78, 68) == 0);
  CHECK(touched_in(image, 0, 0, 120, 29) == 0);
  CHECK(touched_in(image, 0, 71, 120, 100) == 0);
  CHECK(touched_in(image, 0, 0, 19, 100) == 0);
  CHECK(touched_in(image, 81, 0, 120, 100) == 0);
}

TEST_CASE("corners may come in any order") {
  Image one = grey(100, 120), other = grey(100, 120);
  draw_boxes(one, std::vector<Box>{Box{20, 30, 80, 70}});
  draw_boxes(other, std::vector<Box>{Box{80, 70, 20, 30}});
  CHECK(one.rgb == other.rgb);
}

TEST_CASE("what lies beyond the picture is drawn at its rim or not at all") {
  Image image = grey(60, 60);
  CHECK(draw_boxes(image, std::vector<Box>{Box{-50, 10, 1e300, 40}}) == 1);
  CHECK(touched(image, 0, 25));
  CHECK(touched(image, 59, 25));
  CHECK(touched_in(image, 5, 15, 55, 35) == 0);
  Image blank = grey(60, 60);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(draw_boxes(blank, std::vector<Box>{Box{61, 5, 90, 20}, Box{5, -20, 9, -1}, Box{nan, 0, 5, 5}}) == 0);
  CHECK(blank.rgb == grey(60, 60).rgb);
  Image dot = grey(1, 1);
  CHECK(draw_boxes(dot, std::vector<Box>{Box{0, 0, 0, 0}}) == 1);
  CHECK(touched(dot, 0, 0));
}

TEST_CASE("several boxes have numbers and colours of their own") {
  const Box first{20, 60, 60, 100}, second{120, 60, 160, 100};
  Image alone = grey(160, 200), both = grey(160, 200);
  draw_boxes(alone, std::vector<Box>{first});
  CHECK(draw_boxes(both, std::vector<Box>{first, second}) == 2);
  CHECK(touched_in(alone, 0, 0, 200, 58) == 0);
  CHECK(touched_in(both, 20, 45, 40, 58) > 40);  // the number, above the corner
  CHECK(pixel(both, 20, 80) != pixel(both, 120, 80));
  // The two numbers' inks, relative to their corners, differ.
  int different = 0;
  for (std::int64_t y = 46; y < 58; ++y)
    for (std::int64_t x = 0; x < 8; ++x)
      different += (pixel(both, 20 + x, y)[0] == 0) != (pixel(both, 120 + x, y)[0] == 0) ? 1 : 0;
  CHECK(different > 5);
  Image low = grey(160, 200);
  draw_boxes(low, std::vector<Box>{Box{20, 0, 60, 40}, second});
  CHECK(touched_in(low, 22, 42, 40, 52) == 7 * 9);  // no room above: below, nine dots wide and eleven high
  CHECK(touched_in(low, 23, 3, 57, 37) == 0);
}

TEST_CASE("labels stand beside their boxes and do not cover each other") {
  const std::vector<Box> boxes{Box{40, 60, 160, 100}, Box{42, 62, 158, 98}, Box{44, 61, 150, 99}};
  const std::vector<std::string> labels{"red car", "blue car", ""};
  Image plain = grey(160, 200), labelled = grey(160, 200);
  draw_boxes(plain, boxes);
  CHECK(draw_boxes(labelled, boxes, labels) == 3);
  // One with its label above, one below: "1 red car" is nine letters of six dots, with a rim.
  const auto colour_at = [&](std::int64_t x, std::int64_t y) { return pixel(labelled, x, y); };
  CHECK(colour_at(41, 50) == std::array<int, 3>{255, 221, 0});
  CHECK(colour_at(40 + 9 * 6 + 1, 50) == std::array<int, 3>{255, 221, 0});
  CHECK_FALSE(touched(labelled, 40 + 9 * 6 + 3, 50));
  CHECK(colour_at(43, 107) == std::array<int, 3>{86, 200, 255});
  CHECK(touched_in(plain, 40, 49, 56, 60) < touched_in(labelled, 40, 49, 100, 60));
  CHECK_THROWS_AS(draw_boxes(labelled, boxes, std::vector<std::string>{"one"}), Error);
}

TEST_CASE("a label fits every picture") {
  for (const std::int64_t side : {1, 3, 8, 20, 41, 300, 2400}) {
    CAPTURE(side);
    Image image = grey(side, side);
    const double edge = static_cast<double>(side);
    const std::vector<std::string> labels{std::string(500, 'm')};
    CHECK(draw_boxes(image, std::vector<Box>{Box{edge / 2, edge / 2, edge, edge}}, labels) == 1);
    CHECK(image.rgb.size() == static_cast<std::size_t>(3 * side * side));
  }
}

TEST_CASE("a box in the answer has the label of its object") {
  using Labels = std::vector<std::string>;
  CHECK(
      box_labels_in(
          R"([{"bbox_2d": [1, 2, 3, 4], "label": "red car"}, {"label": "a \"b\" \u00e9", "bbox_2d": [5, 6, 7, 8]}])") ==
      Labels{"red car", "a \"b\" \u00e9"});
  CHECK(box_labels_in(R"({"bbox_2d": [1, 2, 3, 4], "sub_label": "x"}, {"bbox_2d": [5, 6, 7, 8]})") == Labels{"", ""});
  CHECK(box_labels_in("```json\n[{'bbox_2d': [1, 2, 3, 4], 'label': 'it'}]\n```") == Labels{"it"});
  CHECK(box_labels_in(R"({"bbox_2d": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": "two"})") == Labels{"two", "two"});
  CHECK(box_labels_in(R"({"bbox_2d": [1, 2, 3, 4], "label": "cut)") == Labels{""});
  CHECK(box_labels_in(R"({"bbox_2d": [1, 2, 3, 4], "label": 7})") == Labels{""});
  CHECK(box_labels_in("[1, 2, 3, 4] label: 'x'") == Labels{""});
  CHECK(box_labels_in("nothing").empty());
  for (const char* text :
       {R"({"bbox_2d": [1, 2, 3, 4], "label": )", R"({"bbox_2d": [1, 2, 3, 4], "label": "\)",
        R"(label": "x", "bbox_2d": [1, 2, 3, 4]})", "{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"\xff\"}"})
    CHECK(box_labels_in(text).size() == boxes_in(text).size());
}

TEST_CASE("a picture that is none is refused") {
  Image image = grey(4, 4);
  image.rgb.pop_back();
  CHECK_THROWS_AS(draw_boxes(image, std::vector<Box>{Box{0, 0, 2, 2}}), Error);
  Image empty;
  CHECK_THROWS_AS(draw_boxes(empty, {}), Error);
}
