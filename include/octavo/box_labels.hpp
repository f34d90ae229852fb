/// @file
/// What answers call their boxes, and boxes drawn with these labels.
///
///     GenerateResult answer = model.generate(...);   // [{"bbox_2d": [9, 8, 40, 33], "label": "red car"}, ...]
///     draw_boxes(image, answer.boxes, box_labels_in(answer.text));   // boxes in the picture's own pixels
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/boxes.hpp"

namespace octavo {

/// For each of boxes_in(text) the "label" of its object, in UTF-8, as Qwen2.5-VL writes it; "" where there is none.
std::vector<std::string> box_labels_in(std::string_view text);

/// draw_boxes with `labels`: UTF-8, one for each box ("" for none), or none at all. A label stands at its box's upper
/// left corner, black on the box's colour: above it, or where there is no room or another label, below the box or in
/// it. Of several boxes, each label begins with its number, from 1. As much of a label is drawn as the picture is wide,
/// at most 40 characters, those that are not ASCII as an empty box; the number then says which it is, of a single box
/// too.
/// @throws Error  as draw_boxes; invalid_argument for another number of labels than boxes.
std::size_t draw_boxes(Image& image, std::span<const Box> boxes, std::span<const std::string> labels);

}  // namespace octavo
