// What a ModelInput must satisfy before any arithmetic starts.
#pragma once

#include <string>
#include <vector>

#include "octavo/architecture.hpp"
#include "octavo/model.hpp"

namespace octavo::model {

/// Ids in the vocabulary, pixel rows that fit their grids, as many pads as the grids need.
/// @throws Error  invalid_argument
void check_input(const TextConfig& text, const ImageLayout& layout, const std::string& model_type,
                 const ModelInput& input);

std::vector<Grid> grids_of(const ModelInput& input);

/// Of the architecture's tower; of one that takes no pictures, the default.
ImageLayout layout_of(const Architecture& architecture);
/// Whether it is that of a model that takes pictures.
inline bool takes_pictures(const ImageLayout& layout) noexcept { return layout.patch_elements > 0; }
/// @throws Error  invalid_argument: a picture was given to a model of text alone.
[[noreturn]] void refuse_pictures(const std::string& model_type);

}  // namespace octavo::model
