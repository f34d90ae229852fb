#include "svg_labels.hpp"

#include <algorithm>
#include <cmath>

namespace cli {

Place Labels::place(double x, double y, double width, double height, const Box& bounds) {
  constexpr double kNearest = 11, kFarthest = 240, kStep = 4, kTurn = 0.3926990817;  // an eighth of pi
  const auto around = [&](const Place& at) {
    return Box{at.x - width / 2, at.y - height / 2, at.x + width / 2, at.y + height / 2};
  };
  for (double distance = kNearest; distance < kFarthest; distance += kStep)
    for (int i = 0; i < 16; ++i) {
      // Right first, then alternately above and below.
      const double angle = kTurn * ((i + 1) / 2) * (i % 2 == 0 ? 1 : -1);
      const Place at{x + (distance + width / 4) * std::cos(angle), y + distance * std::sin(angle), distance};
      const Box box = around(at);
      const bool inside =
          box.left >= bounds.left && box.right <= bounds.right && box.top >= bounds.top && box.bottom <= bounds.bottom;
      if (!inside || !is_free(box)) continue;
      occupy(box);
      return at;
    }
  const Place above{x, y - kNearest, kNearest};
  occupy(around(above));
  return above;
}

bool Labels::is_free(const Box& box) const {
  return std::none_of(taken_.begin(), taken_.end(), [&](const Box& other) {
    return box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom;
  });
}

}  // namespace cli
