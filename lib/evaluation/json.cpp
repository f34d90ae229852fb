// Results as JSON, and the parts that several of them have.
#include "internal.hpp"

namespace octavo {
namespace {

JsonBuilder layer_json(const LayerReport& layer) {
  JsonBuilder json = JsonBuilder::object();
  json.set("module", layer.module_path).set("method", layer.method);
  if (!layer.scheme.empty()) json.set("scheme", layer.scheme);
  if (layer.method != "output") {
    json.set("loss", layer.loss)
        .set("rtn_loss", layer.rtn_loss)
        .set("damp_used", layer.damp_used)
        .set("dead_columns", layer.dead_columns)
        .set("fell_back_to_rtn", layer.fell_back_to_rtn);
  }
  json.set("relative_error", layer.relative_error < 0 ? JsonBuilder(nullptr) : JsonBuilder(layer.relative_error));
  json.set("rows", layer.rows);
  return json;
}

}  // namespace

JsonBuilder pipeline::layers_json(const std::vector<LayerReport>& layers) {
  JsonBuilder list = JsonBuilder::array();
  for (const LayerReport& layer : layers) {
    list.push(layer_json(layer));
  }
  return list;
}

JsonBuilder pipeline::sample_json(const SampleResult& sample) {
  const auto box = [](const std::optional<Box>& corners) {
    if (!corners) return JsonBuilder(nullptr);
    JsonBuilder list = JsonBuilder::array();
    for (const double corner : *corners) list.push(corner);
    return list;
  };
  JsonBuilder sizes = JsonBuilder::array();
  for (const ImageSize& size : sample.image_sizes)
    sizes.push(JsonBuilder::object().set("height", size.height).set("width", size.width));
  const bool known = !sample.expected.empty();
  return JsonBuilder::object()
      .set("id", sample.id)
      .set("task", sample.task)
      .set("prompt", sample.prompt)
      .set("images", strings_json(sample.images))
      .set("image_sizes", std::move(sizes))
      .set("expected", known ? JsonBuilder(sample.expected) : JsonBuilder(nullptr))
      .set("original", sample.original)
      .set("quantized", sample.quantized)
      .set("original_right", known ? JsonBuilder(sample.original_right) : JsonBuilder(nullptr))
      .set("quantized_right", known ? JsonBuilder(sample.quantized_right) : JsonBuilder(nullptr))
      .set("expected_box", box(sample.expected_box))
      .set("original_box", box(sample.original_box))
      .set("quantized_box", box(sample.quantized_box))
      .set("original_iou", sample.expected_box ? JsonBuilder(sample.original_iou) : JsonBuilder(nullptr))
      .set("quantized_iou", sample.expected_box ? JsonBuilder(sample.quantized_iou) : JsonBuilder(nullptr))
      .set("token_agreement", sample.token_agreement)
      .set("kl", sample.kl);
}

JsonBuilder pipeline::strings_json(const std::vector<std::string>& lines) {
  JsonBuilder list = JsonBuilder::array();
  for (const std::string& line : lines) {
    list.push(line);
  }
  return list;
}

JsonBuilder QuantizeResult::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", pipeline::kVersion);
  json.set("recipe", recipe.empty() ? JsonBuilder(nullptr) : JsonBuilder(Json::parse(recipe, "recipe")));
  json.set("calibration_samples", samples).set("calibration_tokens", tokens);
  json.set("bytes_before", static_cast<std::int64_t>(bytes_before))
      .set("bytes_after", static_cast<std::int64_t>(bytes_after));
  json.set("seconds", seconds).set("peak_rss_bytes", static_cast<std::int64_t>(peak_rss_bytes));
  json.set("warnings", pipeline::strings_json(warnings));
  json.set("layers", pipeline::layers_json(layers));
  return json;
}

}  // namespace octavo
