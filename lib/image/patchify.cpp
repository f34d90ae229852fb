#include <filesystem>

#include "octavo/image.hpp"
#include "octavo/json.hpp"

namespace octavo {

ImageProcessorConfig ImageProcessorConfig::open(const std::string& directory) {
  const Json json = Json::read_file((std::filesystem::path(directory) / "preprocessor_config.json").string());
  ImageProcessorConfig config;
  const auto positive = [&](const Json& from, const char* key, std::int64_t fallback) {
    const std::int64_t value = from.get_int(key, fallback);
    if (value <= 0 || value > std::int64_t{1} << 40)
      throw Error(ErrorCode::format,
                  from.where() + ": " + key + " is " + std::to_string(value) + ", it must be positive");
    return value;
  };
  config.patch_size = positive(json, "patch_size", config.patch_size);
  config.temporal_patch_size = positive(json, "temporal_patch_size", config.temporal_patch_size);
  config.merge_size = positive(json, "merge_size", config.merge_size);
  if (config.patch_size > 1024 || config.temporal_patch_size > 16 || config.merge_size > 64)
    throw Error(ErrorCode::format,
                json.where() + ": patch_size, temporal_patch_size or merge_size is beyond any real processor's");
  if (const auto size = json.find("size"); size && size->is_object()) {  // pixel areas, in spite of the names
    config.min_pixels = positive(*size, "shortest_edge", config.min_pixels);
    config.max_pixels = positive(*size, "longest_edge", config.max_pixels);
  }
  config.min_pixels = positive(json, "min_pixels", config.min_pixels);
  config.max_pixels = positive(json, "max_pixels", config.max_pixels);
  const auto channels = [&](const char* key, std::array<double, 3>& values) {
    const auto list = json.find(key);
    if (!list || list->is_null()) return;
    if (list->size() != 3)
      throw Error(ErrorCode::format,
                  list->where() + " has " + std::to_string(list->size()) + " values, one per colour is needed");
    for (std::size_t i = 0; i < 3; ++i) values[i] = list->at(i).as_number();
  };
  channels("image_mean", config.mean);
  channels("image_std", config.std);
  for (const double value : config.std)
    if (!(value > 0)) throw Error(ErrorCode::format, json.where() + ": image_std must be positive");
  return config;
}

namespace {

ImageSize resized(ImageSize size, const ImageProcessorConfig& config) {
  return smart_resize(size, config.patch_size * config.merge_size, config.min_pixels, config.max_pixels);
}

}  // namespace

Grid grid_of(ImageSize size, const ImageProcessorConfig& config) {
  const ImageSize to = resized(size, config);
  return {1, to.height / config.patch_size, to.width / config.patch_size};
}

PixelPatches patchify(const Image& image, const ImageProcessorConfig& config) {
  const ImageSize size = resized({image.height, image.width}, config);
  const Image scaled = resize_bicubic(image, size);
  const std::int64_t patch = config.patch_size;
  const std::int64_t merge = config.merge_size;
  const std::int64_t frames = config.temporal_patch_size;
  PixelPatches result;
  result.resized = size;
  result.original = {image.height, image.width};
  result.grid = grid_of({image.height, image.width}, config);
  const std::int64_t columns = 3 * frames * patch * patch;
  result.pixel_values = Tensor::empty(DType::f32, {result.grid.h * result.grid.w, columns});
  float* out = result.pixel_values.mutable_data<float>();

  // The reference rescales in double, stores float32, and normalises in float32: three tables of 256 hold all of it.
  std::array<std::array<float, 256>, 3> table;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(static_cast<double>(v) * (1.0 / 255.0)) - static_cast<float>(config.mean[c])) /
                    static_cast<float>(config.std[c]);

  std::int64_t n = 0;
  for (std::int64_t block_y = 0; block_y < result.grid.h / merge; ++block_y)
    for (std::int64_t block_x = 0; block_x < result.grid.w / merge; ++block_x)
      for (std::int64_t inner = 0; inner < merge * merge; ++inner, ++n) {
        const std::int64_t top = (block_y * merge + inner / merge) * patch;
        const std::int64_t left = (block_x * merge + inner % merge) * patch;
        float* row = out + n * columns;
        for (std::size_t c = 0; c < 3; ++c)
          for (std::int64_t f = 0; f < frames; ++f)  // a still picture fills every frame
            for (std::int64_t y = 0; y < patch; ++y)
              for (std::int64_t x = 0; x < patch; ++x)
                *row++ = table[c][scaled.rgb[static_cast<std::size_t>(((top + y) * size.width + left + x) * 3) + c]];
      }
  return result;
}

}  // namespace octavo
