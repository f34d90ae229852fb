// Places of small labels beside marks, so that none covers another.
#pragma once

#include <vector>

namespace cli {

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// The middle of a label, and how far that is from its mark.
struct Place {
  double x = 0, y = 0, distance = 0;
};

class Labels {
 public:
  void occupy(const Box& box) { taken_.push_back(box); }
  /// The nearest free place for a label of this size around (x, y) within `bounds`; it is taken then. Where everything
  /// near is taken, the place right above.
  Place place(double x, double y, double width, double height, const Box& bounds);

 private:
  bool is_free(const Box& box) const;
  std::vector<Box> taken_;
};

}  // namespace cli
