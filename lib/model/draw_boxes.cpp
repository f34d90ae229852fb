// Boxes drawn into a picture: lines, and labels.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "letters.hpp"
#include "octavo/box_labels.hpp"

namespace octavo {
namespace {

using Colour = std::array<std::uint8_t, 3>;

// Bright, so that black letters are read on them, and told apart by people who see red and green alike: yellow, sky
// blue, pink, white.
constexpr std::array<Colour, 4> kColours{{{255, 221, 0}, {86, 200, 255}, {255, 120, 220}, {255, 255, 255}}};
constexpr Colour kDark{0, 0, 0};

constexpr std::size_t kMostLetters = 40;

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

bool overlap(const Area& a, const Area& b) {
  return a.x < b.right && b.x < a.right && a.y < b.bottom && b.y < a.bottom;
}

/// Labels on one picture: each beside its box, and on no other label where that can be.
class Labels {
 public:
  Labels(Image& image, std::int64_t dot) : image_(image), dot_(dot) {}

  void draw(const Area& edge, const std::u32string& whole, const Colour& colour) {
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(1, (image_.width / dot_ - 3) / kAdvance));
    const std::u32string text = whole.substr(0, std::min(room, kMostLetters));
    const Area place = place_of(edge, dot_ * (static_cast<std::int64_t>(text.size()) * kAdvance + 3));
    taken_.push_back(place);
    fill(image_, place, kDark);
    fill(image_, {place.x + dot_, place.y + dot_, place.right - dot_, place.bottom - dot_}, colour);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string_view dots = model::letter_dots(text[i]);
      for (std::int64_t k = 0; k < model::kLetterWidth * model::kLetterHeight; ++k) {
        if (dots[static_cast<std::size_t>(k)] != '#') continue;
        const std::int64_t x = place.x + dot_ * (2 + static_cast<std::int64_t>(i) * kAdvance + k % model::kLetterWidth),
                           y = place.y + dot_ * (2 + k / model::kLetterWidth);
        fill(image_, {x, y, x + dot_, y + dot_}, kDark);
      }
    }
  }

 private:
  static constexpr std::int64_t kAdvance = model::kLetterWidth + 1;  // dots

  Area place_of(const Area& edge, std::int64_t width) const {
    const std::int64_t height = dot_ * (model::kLetterHeight + 4);
    const std::int64_t x = std::clamp<std::int64_t>(edge.x, 0, std::max<std::int64_t>(0, image_.width - width));
    std::optional<Area> first;
    for (const std::int64_t y : {edge.y - height, edge.bottom, edge.y, edge.bottom - height}) {
      const Area place{x, y, x + width, y + height};
      if (y < 0 || place.bottom > image_.height) continue;
      if (!first) first = place;
      if (std::none_of(taken_.begin(), taken_.end(), [&](const Area& other) { return overlap(place, other); }))
        return place;
    }
    return first.value_or(Area{x, 0, x + width, height});
  }

  Image& image_;
  std::int64_t dot_;
  std::vector<Area> taken_;
};

/// Code points of UTF-8; a byte that is none of it counts as one, which has no letter.
std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U && !points.empty() && points.back() > 0x7F) continue;  // the rest of a character
    points += byte < 0x20 ? U' ' : static_cast<char32_t>(byte < 0x80 ? byte : 0xFFFD);
  }
  return points;
}

/// What stands at box `i`, maybe nothing.
std::u32string label_text(std::span<const std::string> labels, std::size_t i, std::size_t boxes) {
  const std::u32string label = labels.empty() ? U"" : code_points(labels[i]);
  const bool unreadable = std::any_of(label.begin(), label.end(), [](char32_t point) { return point > 0x7F; });
  if (boxes < 2 && !unreadable) return label;
  return code_points(std::to_string(i + 1)) + (label.empty() ? U"" : U" ") + label;
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

std::size_t draw_boxes(Image& image, std::span<const Box> boxes) { return draw_boxes(image, boxes, {}); }

std::size_t draw_boxes(Image& image, std::span<const Box> boxes, std::span<const std::string> labels) {
  if (image.height < 1 || image.width < 1 ||
      image.rgb.size() != static_cast<std::size_t>(image.height * image.width * 3))
    throw Error(ErrorCode::invalid_argument, "draw_boxes: a picture of " + std::to_string(image.width) + " x " +
                                                 std::to_string(image.height) + " pixels whose rgb holds " +
                                                 std::to_string(image.rgb.size()) + " bytes");
  if (!labels.empty() && labels.size() != boxes.size())
    throw Error(ErrorCode::invalid_argument, "draw_boxes: " + std::to_string(labels.size()) + " labels for " +
                                                 std::to_string(boxes.size()) + " boxes: give one for each, or none");
  const std::int64_t side = std::min(image.height, image.width);
  const std::int64_t line = std::clamp<std::int64_t>(side / 200, 1, 12),
                     dot = std::clamp<std::int64_t>(side / 160, 1, 12);
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const std::optional<Area> area = area_of(boxes[i], image);
    if (!area) continue;
    ++drawn;
    frame(image, *area, line, line + 1, kDark);
    frame(image, *area, line - 1, line, kColours[i % kColours.size()]);
  }
  Labels drawn_labels(image, dot);  // behind all lines, so that none crosses a label
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const std::optional<Area> area = area_of(boxes[i], image);
    const std::u32string text = label_text(labels, i, boxes.size());
    if (area && !text.empty()) drawn_labels.draw(*area, text, kColours[i % kColours.size()]);
  }
  return drawn;
}

}  // namespace octavo
