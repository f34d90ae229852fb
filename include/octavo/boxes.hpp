/// @file
/// Boxes in answers: in which forms they are read, where they lie in the picture's own pixels, and drawn there.
///
/// A box is four numbers x1, y1, x2, y2: the left, upper, right and lower edge. Qwen2.5-VL writes them in pixels of the
/// picture as it saw it, after smart_resize. What counts is the answer proper (answer_part); in it, the first of these
/// that occurs:
///
///     by name      "bbox_2d": [x1, y1, x2, y2]   any quotes or none, in an object, a list of objects, fenced or not,
///                                                keys before and behind; also [[x1, y1, x2, y2], ...]
///     plain        [x1, y1, x2, y2]   (x1, y1, x2, y2)   (x1, y1), (x2, y2)   exactly four numbers, anywhere
///     bare         x1 y1 x2 y2        the whole answer, spaces or commas between
///
/// Numbers are decimal, a sign, a fraction and an exponent are allowed. Of several boxes in one form the first counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/image.hpp"

namespace octavo {

/// x1, y1, x2, y2 in pixels.
using Box = std::array<double, 4>;

/// Which pixels the boxes of an answer are in.
enum class BoxSpace : std::uint8_t {
  model,     ///< of the picture as the model saw it, after resizing: what models write
  original,  ///< of the picture itself, after EXIF orientation
};
const char* box_space_name(BoxSpace space) noexcept;  ///< "model", "original"

struct PictureSize {
  ImageSize original;  ///< of the picture itself, after EXIF orientation
  ImageSize seen;      ///< as the model saw it
};

/// The answer without the reasoning before it: what stands in the last `<answer>` ... `</answer>` (or to the end, when
/// it is not closed), looked for behind the last `</think>`; without such tags, everything behind `</think>`; without
/// either, everything. A `<think>` that never ends, without `<answer>`, leaves nothing. Trimmed.
std::string_view answer_part(std::string_view text);
/// All boxes of the answer's form, in their order; empty when it has none.
std::vector<Box> boxes_in(std::string_view text);
/// The first of them.
std::optional<Box> box_in(std::string_view text);
/// The answer is a box: one by name, or nothing but plain ones, fences and brackets.
bool is_box_answer(std::string_view text);

/// Per axis, coordinate times original over seen; not rounded, and not cut at the picture's edges.
Box to_original(const Box& box, const PictureSize& size);
/// The text with the numbers of its boxes (and of "point_2d": [x, y]) moved to the picture's own pixels and rounded to
/// whole ones. Everything else, the reasoning before the answer too, stays as it is.
std::string boxes_to_original(std::string_view text, const PictureSize& size);
/// The one scale that all pictures of a prompt share; nothing without pictures.
/// @throws Error  invalid_argument when they differ, so that a box would not say whose pixels it is in, and when a
///                picture's own size is not known.
std::optional<PictureSize> common_scale(std::span<const PictureSize> pictures);

/// Draws boxes, in the picture's own pixels, into it: a bright line with a dark rim, so that it shows on every ground,
/// one colour after the other. Of several, each has its number, from 1, at its upper left corner. Edges beyond the
/// picture are drawn at its rim. Returns how many were drawn: a box that is wholly outside, or not finite, is not.
/// @throws Error  invalid_argument for `rgb` of another size than the sides give.
std::size_t draw_boxes(Image& image, std::span<const Box> boxes);

}  // namespace octavo
