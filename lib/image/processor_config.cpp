#include <cmath>
#include <optional>

#include "octavo/image.hpp"
#include "octavo/json.hpp"

namespace octavo {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 40;

/// The settings object: of transformers 5 in processor_config.json, else preprocessor_config.json. transformers 5 takes
/// them in this order (image_processing_base.py, get_image_processor_dict).
Json settings_of(const FileSource& files) {
  constexpr const char* kOlder = "preprocessor_config.json";
  constexpr const char* kNewer = "processor_config.json";
  const bool has_newer = files.has(kNewer);
  if (has_newer) {
    const Json processor = files.json(kNewer);
    if (const auto nested = processor.find("image_processor"); nested && !nested->is_null()) {
      if (!nested->is_object()) throw Error(ErrorCode::format, nested->where() + " must be an object");
      return *nested;
    }
  }
  if (files.has(kOlder)) {
    Json settings = files.json(kOlder);
    if (!settings.is_object()) throw Error(ErrorCode::format, settings.where() + " must be an object");
    return settings;
  }
  throw Error(
      ErrorCode::not_found,
      has_newer ? files.path_of(kNewer) + ": has no image_processor, and there is no preprocessor_config.json beside it"
                : files.label() + ": has neither preprocessor_config.json nor processor_config.json");
}

std::optional<Json> present(const Json& object, std::string_view key) {
  std::optional<Json> value = object.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

void read_positive(const Json& from, const char* key, std::int64_t most, std::int64_t& value) {
  const std::optional<Json> stated = present(from, key);
  if (!stated) return;
  value = stated->as_int();
  if (value <= 0 || value > most)
    throw Error(ErrorCode::format,
                stated->where() + " is " + stated->dump() + ", it must be 1 to " + std::to_string(most));
}

void read_bool(const Json& from, const char* key, bool& value) {
  if (const std::optional<Json> stated = from.find(key)) value = stated->as_bool();
}

void read_colours(const Json& from, const char* key, std::array<double, 3>& values) {
  const std::optional<Json> stated = present(from, key);
  if (!stated) return;
  if (stated->is_number()) {
    values.fill(stated->as_number());
    return;
  }
  if (!stated->is_array() || stated->size() != 3)
    throw Error(ErrorCode::format,
                stated->where() + " has " + std::to_string(stated->size()) + " values, one per colour is needed");
  for (std::size_t i = 0; i < 3; ++i) values[i] = stated->at(i).as_number();
}

/// min_pixels and max_pixels stand above size, in every release; a size must be whole where they leave one open.
void read_limits(const Json& json, ImageProcessorConfig& config) {
  const std::optional<Json> size = present(json, "size");
  if (size) {
    if (!size->is_object())
      throw Error(ErrorCode::unsupported,
                  size->where() + " is " + size->dump() + "; an object with shortest_edge and longest_edge is needed");
    for (const auto& [edge, limit] : {std::pair{"shortest_edge", "min_pixels"}, {"longest_edge", "max_pixels"}})
      if (!present(*size, edge) && !present(json, limit))
        throw Error(ErrorCode::format,
                    size->where() + " has no " + edge + "; transformers refuses a size with one limit alone");
    read_positive(*size, "shortest_edge", kMostPixels, config.min_pixels);
    read_positive(*size, "longest_edge", kMostPixels, config.max_pixels);
  }
  read_positive(json, "min_pixels", kMostPixels, config.min_pixels);
  read_positive(json, "max_pixels", kMostPixels, config.max_pixels);
}

}  // namespace

ImageProcessorConfig ImageProcessorConfig::open(const FileSource& files) {
  const Json json = settings_of(files);
  require_settings(json, image_settings().front());
  ImageProcessorConfig config;
  config.where = json.where();
  read_positive(json, "patch_size", 1024, config.patch_size);
  read_positive(json, "temporal_patch_size", 16, config.temporal_patch_size);
  read_positive(json, "merge_size", 64, config.merge_size);
  read_limits(json, config);
  read_bool(json, "do_resize", config.do_resize);
  read_bool(json, "do_rescale", config.do_rescale);
  read_bool(json, "do_normalize", config.do_normalize);
  if (const std::optional<Json> factor = present(json, "rescale_factor")) {
    config.rescale_factor = factor->as_number();
    if (!std::isfinite(config.rescale_factor) || config.rescale_factor == 0)
      throw Error(ErrorCode::format, factor->where() + " is " + factor->dump() + ", which leaves nothing of a picture");
  }
  read_colours(json, "image_mean", config.mean);
  read_colours(json, "image_std", config.std);
  for (const double value : config.std)
    if (!(value > 0)) throw Error(ErrorCode::format, json.where() + ": image_std must be positive");
  return config;
}

}  // namespace octavo
