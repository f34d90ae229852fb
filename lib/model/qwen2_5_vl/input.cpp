// What a ModelInput must satisfy before any arithmetic starts.
#include <string>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "model input: " + what); }

void check_image(const VisionConfig& config, const PixelPatches& image, std::size_t index) {
  const std::string name = "image " + std::to_string(index);
  const Grid& grid = image.grid;
  const std::int64_t merge = config.spatial_merge_size;
  constexpr std::int64_t kMaxExtent = std::int64_t{1} << 20;  // products stay far from overflow
  const std::string spelled =
      "grid " + std::to_string(grid.t) + " x " + std::to_string(grid.h) + " x " + std::to_string(grid.w);
  if (grid.t < 1 || grid.h < 1 || grid.w < 1 || grid.t > kMaxExtent || grid.h > kMaxExtent || grid.w > kMaxExtent ||
      grid.h % merge != 0 || grid.w % merge != 0) {
    refuse(name + ": " + spelled + ", rows and columns must be positive multiples of spatial_merge_size " +
           std::to_string(merge));
  }
  const Shape expected{grid.t * grid.h * grid.w, config.patch_elements()};
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

void check_qwen2_5_vl_input(const Qwen25VlConfig& config, const ModelInput& input) {
  if (input.ids.empty()) refuse("the prompt is empty, it must hold at least one token");
  std::int64_t pads = 0;
  for (std::size_t i = 0; i < input.ids.size(); ++i) {
    const std::int32_t id = input.ids[i];
    if (id < 0 || id >= config.text.vocab_size) {
      refuse("token " + std::to_string(i) + " is " + std::to_string(id) + ", outside the vocabulary of " +
             std::to_string(config.text.vocab_size));
    }
    if (id == config.video_token_id)
      refuse("token " + std::to_string(i) + " is a video pad; videos are given as images");
    pads += id == config.image_token_id ? 1 : 0;
  }
  std::int64_t needed = 0;
  const std::int64_t group = config.vision.spatial_merge_size * config.vision.spatial_merge_size;
  for (std::size_t i = 0; i < input.images.size(); ++i) {
    check_image(config.vision, input.images[i], i);
    const Grid& grid = input.images[i].grid;
    needed += grid.t * grid.h * grid.w / group;
  }
  if (pads != needed) {
    refuse("the prompt holds " + std::to_string(pads) + " image pads, its " + std::to_string(input.images.size()) +
           " images need " + std::to_string(needed) +
           " (t * h * w / spatial_merge_size^2 each): expand each image's pad to that many, and keep an image "
           "whole within one call");
  }
}

}  // namespace octavo::model
