#include <algorithm>
#include <cstddef>
#include <octavo/boxes.hpp>
#include <vector>

#include "guard.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_boxes_in(const char* text, octavo_box* out_boxes, size_t capacity, size_t* out_count) {
  return guarded([&] {
    require(text, "text");
    require(out_count, "out_count");
    if (capacity > 0) require(out_boxes, "out_boxes");
    const std::vector<octavo::Box> boxes = octavo::boxes_in(text);
    for (std::size_t i = 0; i < std::min(capacity, boxes.size()); ++i)
      out_boxes[i] = {boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3]};
    *out_count = boxes.size();
  });
}

}  // extern "C"
