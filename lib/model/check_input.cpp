#include "check_input.hpp"

#include "octavo/message.hpp"

namespace octavo::model {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "model input: " + what); }

void check_image(const ImageLayout& layout, const PixelPatches& image, std::size_t index) {
  const std::string name = "image " + std::to_string(index);
  const Grid& grid = image.grid;
  const std::int64_t merge = layout.merge_size;
  constexpr std::int64_t kMaxExtent = std::int64_t{1} << 20;  // products stay far from overflow
  const std::string spelled =
      "grid " + std::to_string(grid.t) + " x " + std::to_string(grid.h) + " x " + std::to_string(grid.w);
  if (grid.t < 1 || grid.h < 1 || grid.w < 1 || grid.t > kMaxExtent || grid.h > kMaxExtent || grid.w > kMaxExtent ||
      grid.h % merge != 0 || grid.w % merge != 0) {
    refuse(name + ": " + spelled + ", rows and columns must be positive multiples of spatial_merge_size " +
           std::to_string(merge));
  }
  const Shape expected{grid.t * grid.h * grid.w, layout.patch_elements};
  if (!image.pixel_values.defined() || image.pixel_values.dtype() != DType::f32 ||
      !(image.pixel_values.shape() == expected)) {
    const std::string actual = image.pixel_values.defined() ? std::string(dtype_name(image.pixel_values.dtype())) +
                                                                  image.pixel_values.shape().to_string()
                                                            : "undefined";
    refuse(name + ": pixel_values are " + actual + ", " + spelled + " needs f32" + expected.to_string() +
           " (patches; in_channels * temporal_patch_size * patch_size^2)");
  }
}

}  // namespace

std::vector<Grid> grids_of(const ModelInput& input) {
  std::vector<Grid> grids;
  grids.reserve(input.images.size());
  for (const PixelPatches& image : input.images) grids.push_back(image.grid);
  return grids;
}

ImageLayout layout_of(const Architecture& architecture) {
  const VisionTower* tower = architecture.vision();
  return tower != nullptr ? tower->layout() : ImageLayout{};
}

void refuse_pictures(const std::string& model_type) {
  throw Error(ErrorCode::invalid_argument, "the architecture " + in_quotes(model_type) +
                                               " has no vision tower: the model takes text alone, leave the pictures "
                                               "out");
}

void check_input(const TextConfig& text, const ImageLayout& layout, const std::string& model_type,
                 const ModelInput& input) {
  if (input.ids.empty()) refuse("the prompt is empty, it must hold at least one token");
  if (!input.images.empty() && !takes_pictures(layout)) refuse_pictures(model_type);
  std::int64_t pads = 0;
  for (std::size_t i = 0; i < input.ids.size(); ++i) {
    const std::int32_t id = input.ids[i];
    if (id < 0 || id >= text.vocab_size) {
      refuse("token " + std::to_string(i) + " is " + std::to_string(id) + ", outside the vocabulary of " +
             std::to_string(text.vocab_size));
    }
    if (id == layout.video_token_id)
      refuse("token " + std::to_string(i) + " is a video pad; videos are given as images");
    pads += id == layout.image_token_id ? 1 : 0;
  }
  std::int64_t needed = 0;
  for (std::size_t i = 0; i < input.images.size(); ++i) {
    check_image(layout, input.images[i], i);
    needed += layout.tokens_of(input.images[i].grid);
  }
  if (pads != needed) {
    refuse("the prompt holds " + std::to_string(pads) + " image pads, its " + std::to_string(input.images.size()) +
           " images need " + std::to_string(needed) +
           " (t * h * w / spatial_merge_size^2 each): expand each image's pad to that many, and keep an image "
           "whole within one call");
  }
}

}  // namespace octavo::model
