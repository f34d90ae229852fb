#include "internal.hpp"

namespace octavo {
namespace {

JsonBuilder layer_json(const LayerReport& layer) {
  JsonBuilder json = JsonBuilder::object();
  json.set("module", layer.module_path).set("method", layer.method);
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

JsonBuilder layers_json(const std::vector<LayerReport>& layers) {
  JsonBuilder list = JsonBuilder::array();
  for (const LayerReport& layer : layers) {
    list.push(layer_json(layer));
  }
  return list;
}

JsonBuilder strings_json(const std::vector<std::string>& lines) {
  JsonBuilder list = JsonBuilder::array();
  for (const std::string& line : lines) {
    list.push(line);
  }
  return list;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

JsonBuilder QuantizeResult::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", pipeline::kVersion);
  json.set("recipe", recipe.empty() ? JsonBuilder(nullptr) : JsonBuilder(Json::parse(recipe, "recipe")));
  json.set("calibration_samples", samples).set("calibration_tokens", tokens);
  json.set("bytes_before", static_cast<std::int64_t>(bytes_before))
      .set("bytes_after", static_cast<std::int64_t>(bytes_after));
  json.set("seconds", seconds).set("peak_rss_bytes", static_cast<std::int64_t>(peak_rss_bytes));
  json.set("warnings", strings_json(warnings));
  json.set("layers", layers_json(layers));
  return json;
}

JsonBuilder VerifyResult::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", pipeline::kVersion);
  json.set("passed", passed).set("failures", strings_json(failures)).set("samples", samples);
  JsonBuilder list = JsonBuilder::array();
  for (const TaskScore& task : tasks) {
    list.push(JsonBuilder::object()
                  .set("task", task.task)
                  .set("total", task.total)
                  .set("original_right", task.original_right)
                  .set("quantized_right", task.quantized_right)
                  .set("original_accuracy", share(task.original_right, task.total))
                  .set("quantized_accuracy", share(task.quantized_right, task.total)));
  }
  json.set("tasks", std::move(list));
  json.set("original_accuracy", original_accuracy).set("quantized_accuracy", quantized_accuracy);
  json.set("token_agreement", token_agreement).set("exact_match", exact_match);
  json.set("logit_cosine", logit_cosine).set("kl", kl).set("top1_agreement", top1_agreement);
  json.set("original_tokens_per_second", original_tokens_per_second);
  json.set("quantized_tokens_per_second", quantized_tokens_per_second);
  json.set("original_bytes", static_cast<std::int64_t>(original_bytes))
      .set("quantized_bytes", static_cast<std::int64_t>(quantized_bytes));
  json.set("thresholds", JsonBuilder::object()
                             .set("min_token_agreement", thresholds.min_token_agreement)
                             .set("min_logit_cosine", thresholds.min_logit_cosine)
                             .set("max_kl", thresholds.max_kl)
                             .set("max_accuracy_drop", thresholds.max_accuracy_drop));
  json.set("seconds", seconds);
  json.set("layers", layers_json(layers));
  return json;
}

}  // namespace octavo
