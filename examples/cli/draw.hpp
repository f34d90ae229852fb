// The boxes of an answer, drawn on the picture they are about.
#pragma once

#include <octavo/boxes.hpp>
#include <octavo/image.hpp>
#include <span>
#include <string>

namespace cli {

/// That a drawing can be written there: asked before the work.
/// @throws UsageError  for a name that ends otherwise than in .png, .jpg or .jpeg; Error as octavo::check_new_file.
void require_drawing_path(const std::string& path);
/// Draws boxes, in the picture's own pixels, with a label for each ("" for none), and writes the file, which appears
/// complete or not at all. Says what was drawn, label by label, since a picture may be too small for them.
void write_drawing(const std::string& path, octavo::Image image, std::span<const octavo::Box> boxes,
                   std::span<const std::string> labels);

}  // namespace cli
