// The result of a quantization as JSON, which octavo_report.json holds, and as a page.
#include <utility>

#include "octavo/quantize.hpp"
#include "octavo/report.hpp"
#include "octavo/version.hpp"

namespace octavo {

JsonBuilder QuantizeResult::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", kVersion);
  json.set("recipe", recipe.empty() ? JsonBuilder(nullptr) : JsonBuilder(Json::parse(recipe, "recipe")));
  json.set("calibration_samples", samples).set("calibration_tokens", tokens).set("math", float_math_name(math));
  json.set("bytes_before", static_cast<std::int64_t>(bytes_before))
      .set("bytes_after", static_cast<std::int64_t>(bytes_after));
  json.set("seconds", seconds).set("peak_rss_bytes", static_cast<std::int64_t>(peak_rss_bytes));
  json.set("files", JsonBuilder::array_of(files));
  json.set("warnings", JsonBuilder::array_of(warnings));
  json.set("skipped_samples", skipped_json(skipped));
  JsonBuilder list = JsonBuilder::array();
  for (const LayerReport& layer : layers) list.push(layer.to_json());
  json.set("layers", std::move(list));
  return json;
}

std::string QuantizeResult::to_html() const { return quantization_page(to_json().build("the result")); }

}  // namespace octavo
