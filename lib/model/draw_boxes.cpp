// Boxes drawn into a picture: lines, and digits for their numbers.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "octavo/boxes.hpp"

namespace octavo {
namespace {

using Colour = std::array<std::uint8_t, 3>;

// Bright, so that black digits are read on them, and told apart by people who see red and green alike: yellow, sky
// blue, pink, white.
constexpr std::array<Colour, 4> kColours{{{255, 221, 0}, {86, 200, 255}, {255, 120, 220}, {255, 255, 255}}};
constexpr Colour kDark{0, 0, 0};

// Five columns, seven rows; `#` is ink.
constexpr std::array<std::string_view, 10> kDigits{".###.#...##..###.#.###..##...#.###.",  //
                                                   "..#...##....#....#....#....#...###.",  //
                                                   ".###.#...#....#...#...#...#...#####",  //
                                                   "#####...#...#.....#....##...#.###..",  //
                                                   "...#...##..#.#.#..#.#####...#....#.",  //
                                                   "######....####.....#....##...#.###.",  //
                                                   "..##..#...#....####.#...##...#.###.",  //
                                                   "#####....#...#...#...#....#....#...",  //
                                                   ".###.#...##...#.###.#...##...#.###.",  //
                                                   ".###.#...##...#.####....#...#..##.."};
constexpr std::int64_t kDigitWidth = 5, kDigitHeight = 7;

/// Columns x .. right, rows y .. bottom, the last ones excluded.
struct Area {
  std::int64_t x = 0, y = 0, right = 0, bottom = 0;
};

void fill(Image& image, const Area& area, const Colour& colour) {
  const std::int64_t right = std::min(area.right, image.width), bottom = std::min(area.bottom, image.height);
  for (std::int64_t y = std::max<std::int64_t>(0, area.y); y < bottom; ++y)
    for (std::int64_t x = std::max<std::int64_t>(0, area.x); x < right; ++x)
      std::copy(colour.begin(), colour.end(), image.rgb.begin() + 3 * (y * image.width + x));
}

/// The frame between `inner` pixels inside the edge and `outer` pixels outside it.
void frame(Image& image, const Area& edge, std::int64_t outer, std::int64_t inner, const Colour& colour) {
  const Area out{edge.x - outer, edge.y - outer, edge.right + outer, edge.bottom + outer};
  fill(image, {out.x, out.y, out.right, edge.y + inner}, colour);
  fill(image, {out.x, edge.bottom - inner, out.right, out.bottom}, colour);
  fill(image, {out.x, out.y, edge.x + inner, out.bottom}, colour);
  fill(image, {edge.right - inner, out.y, out.right, out.bottom}, colour);
}

/// Above the corner where there is room, else below it.
void draw_number(Image& image, const Area& edge, std::size_t number, std::int64_t pixel, const Colour& colour) {
  const std::string digits = std::to_string(number);
  const std::int64_t width = pixel * (static_cast<std::int64_t>(digits.size()) * (kDigitWidth + 1) + 3),
                     height = pixel * (kDigitHeight + 4);
  const std::int64_t y = edge.y >= height ? edge.y - height : edge.y;
  const std::int64_t x = std::clamp<std::int64_t>(edge.x, 0, std::max<std::int64_t>(0, image.width - width));
  fill(image, {x, y, x + width, y + height}, kDark);
  fill(image, {x + pixel, y + pixel, x + width - pixel, y + height - pixel}, colour);
  for (std::size_t i = 0; i < digits.size(); ++i)
    for (std::int64_t dot = 0; dot < kDigitWidth * kDigitHeight; ++dot) {
      if (kDigits[static_cast<std::size_t>(digits[i] - '0')][static_cast<std::size_t>(dot)] != '#') continue;
      const std::int64_t column =
          x + pixel * (2 + static_cast<std::int64_t>(i) * (kDigitWidth + 1) + dot % kDigitWidth);
      const std::int64_t row = y + pixel * (2 + dot / kDigitWidth);
      fill(image, {column, row, column + pixel, row + pixel}, kDark);
    }
}

/// What of the box lies in the picture, at least a pixel wide and high.
std::optional<Area> area_of(const Box& box, const Image& image) {
  if (!std::all_of(box.begin(), box.end(), [](double edge) { return std::isfinite(edge); })) return std::nullopt;
  const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  const double left = std::min(box[0], box[2]), right = std::max(box[0], box[2]);
  const double up = std::min(box[1], box[3]), down = std::max(box[1], box[3]);
  if (right < 0 || down < 0 || left > width || up > height) return std::nullopt;
  const auto whole = [](double edge, double side) { return std::llround(std::clamp(edge, 0.0, side)); };
  Area area{whole(left, width), whole(up, height), whole(right, width), whole(down, height)};
  area.x = std::min(area.x, image.width - 1);
  area.y = std::min(area.y, image.height - 1);
  area.right = std::max(area.right, area.x + 1);
  area.bottom = std::max(area.bottom, area.y + 1);
  return area;
}

}  // namespace

std::size_t draw_boxes(Image& image, std::span<const Box> boxes) {
  if (image.height < 1 || image.width < 1 ||
      image.rgb.size() != static_cast<std::size_t>(image.height * image.width * 3))
    throw Error(ErrorCode::invalid_argument, "draw_boxes: a picture of " + std::to_string(image.width) + " x " +
                                                 std::to_string(image.height) + " pixels whose rgb holds " +
                                                 std::to_string(image.rgb.size()) + " bytes");
  const std::int64_t side = std::min(image.height, image.width);
  const std::int64_t line = std::clamp<std::int64_t>(side / 200, 1, 12),
                     pixel = std::clamp<std::int64_t>(side / 160, 1, 12);
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const std::optional<Area> area = area_of(boxes[i], image);
    if (!area) continue;
    ++drawn;
    frame(image, *area, line, line + 1, kDark);
    frame(image, *area, line - 1, line, kColours[i % kColours.size()]);
  }
  if (boxes.size() > 1)  // behind all lines, so that none crosses a number
    for (std::size_t i = 0; i < boxes.size(); ++i)
      if (const std::optional<Area> area = area_of(boxes[i], image))
        draw_number(image, *area, i + 1, pixel, kColours[i % kColours.size()]);
  return drawn;
}

}  // namespace octavo
