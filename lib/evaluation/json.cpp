// Bounds, metrics and answers as JSON; the schemas are docs/verify.md's.
#include <utility>

#include "octavo/evaluation.hpp"
#include "thresholds.hpp"

namespace octavo {

JsonBuilder VerifyThresholds::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  for (const detail::ThresholdKey& key : detail::kThresholdKeys) {
    const std::optional<double>& bound = this->*key.value;
    json.set(key.key, bound ? JsonBuilder(*bound) : JsonBuilder(nullptr));
  }
  return json;
}

JsonBuilder Measurement::to_json() const {
  return JsonBuilder::object().set("what", what).set("where", where).set("value", value);
}

JsonBuilder StepMetrics::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  const auto set = [&](const char* key, const auto& value) {
    if (value) json.set(key, JsonBuilder(*value));
  };
  set("prompts", prompts);
  set("identical_prefix", identical_prefix);
  set("tokens", tokens);
  set("token_agreement", token_agreement);
  set("positions", positions);
  set("logit_cosine", logit_cosine);
  set("kl", kl);
  set("top1_agreement", top1_agreement);
  set("top5_agreement", top5_agreement);
  set("original_perplexity", original_perplexity);
  set("quantized_perplexity", quantized_perplexity);
  set("original_accuracy", original_accuracy);
  set("quantized_accuracy", quantized_accuracy);
  set("original_cache_difference", original_cache_difference);
  set("quantized_cache_difference", quantized_cache_difference);
  if (!further.empty()) {
    JsonBuilder list = JsonBuilder::array();
    for (const Measurement& entry : further) list.push(entry.to_json());
    json.set("further", std::move(list));
  }
  return json;
}

const char* expectation_name(Expectation expectation) noexcept {
  switch (expectation) {
    case Expectation::structure:
      return "structure";
    case Expectation::same_model:
      return "same_model";
    case Expectation::same_input:
      return "same_input";
    case Expectation::runs:
      return "runs";
    case Expectation::finite:
      return "finite";
    case Expectation::bound:
      return "bound";
    case Expectation::same_generation:
      return "same_generation";
    case Expectation::same_cached:
      return "same_cached";
    case Expectation::same_batched:
      return "same_batched";
    case Expectation::reproducible:
      return "reproducible";
  }
  return "?";
}

JsonBuilder SampleResult::to_json() const {
  const auto box = [](const std::optional<Box>& corners) {
    if (!corners) return JsonBuilder(nullptr);
    return JsonBuilder::array_of(*corners);
  };
  JsonBuilder sizes = JsonBuilder::array();
  JsonBuilder pictures = JsonBuilder::array();
  for (const SampleImage& image : images) pictures.push(image.name);
  for (const PictureSize& size : image_sizes)
    sizes.push(JsonBuilder::object()
                   .set("height", size.seen.height)
                   .set("width", size.seen.width)
                   .set("original_height", size.original.height)
                   .set("original_width", size.original.width));
  const bool known = !expected.empty();
  return JsonBuilder::object()
      .set("id", id)
      .set("task", task)
      .set("prompt", prompt)
      .set("images", std::move(pictures))
      .set("image_sizes", std::move(sizes))
      .set("expected", known ? JsonBuilder(expected) : JsonBuilder(nullptr))
      .set("original", original)
      .set("quantized", quantized)
      .set("original_right", known ? JsonBuilder(original_right) : JsonBuilder(nullptr))
      .set("quantized_right", known ? JsonBuilder(quantized_right) : JsonBuilder(nullptr))
      .set("box_space", box_space_name(boxes))
      .set("expected_box", box(expected_box))
      .set("original_box", box(original_box))
      .set("quantized_box", box(quantized_box))
      .set("original_iou", expected_box ? JsonBuilder(original_iou) : JsonBuilder(nullptr))
      .set("quantized_iou", expected_box ? JsonBuilder(quantized_iou) : JsonBuilder(nullptr))
      .set("token_agreement", token_agreement)
      .set("kl", kl);
}

}  // namespace octavo
