// What quantize() wrote down: recipe, calibration, each linear's losses.
#include <algorithm>
#include <cmath>

#include "charts.hpp"
#include "html.hpp"
#include "octavo/version.hpp"
#include "sections.hpp"

namespace octavo {
namespace report {
namespace {

using html::escaped;
using html::percent;

struct LinearLoss {
  std::string module, method;
  double loss = 0, rtn_loss = 0, relative_error = -1;
  std::int64_t rows = 0;
  double of_rtn() const { return rtn_loss > 0 ? loss / rtn_loss : -1; }
};

std::vector<LinearLoss> losses_of(const Json& quantization) {
  std::vector<LinearLoss> losses;
  const std::optional<Json> layers = quantization.find("layers");
  for (std::size_t i = 0; layers && i < layers->size(); ++i) {
    const Json layer = layers->at(i);
    LinearLoss loss;
    loss.module = layer.get_string("module", "");
    loss.method = layer.get_string("method", "");
    loss.loss = layer.get_number("loss", 0);
    loss.rtn_loss = layer.get_number("rtn_loss", 0);
    loss.relative_error = layer.get_number("relative_error", -1);
    loss.rows = layer.get_int("rows", 0);
    losses.push_back(std::move(loss));
  }
  return losses;
}

/// One chart per kind of linear, a bar per block; `value` negative: absent.
template <class Value>
std::string charts(const std::vector<LinearLoss>& losses, const std::string& what, Value&& value) {
  std::vector<std::string> paths;
  double top = 0;
  for (const LinearLoss& loss : losses) {
    paths.push_back(loss.module);
    if (std::isfinite(value(loss))) top = std::max(top, value(loss));
  }
  if (top <= 0) return "";
  std::string out = "<div class=\"charts\">\n";
  for (const KindGroup& group : by_kind(paths)) {
    BarChart chart;
    chart.title = group.kind;
    chart.top = round_top(top);
    chart.series.push_back({what, "solid", {}});
    for (const std::size_t i : group.members) {
      chart.names.push_back(paths[i]);
      chart.ticks.push_back(split_module(paths[i]).tick);
      chart.series[0].values.push_back(value(losses[i]));
    }
    out += bar_chart(chart);
  }
  return out + "</div>\n";
}

std::string loss_charts(const std::vector<LinearLoss>& losses) {
  std::string out;
  const std::string errors = charts(losses, "error", [](const LinearLoss& loss) { return loss.relative_error; });
  if (!errors.empty())
    out +=
        "<h3>Error of each linear</h3><p>How far a linear&#39;s output with int8 weights and activations is from the "
        "original&#39;s, on rows of the calibration: <span class=\"formula\">||Y - Y&#39;|| / ||Y||</span>. A chart "
        "for "
        "each kind, a bar for each block; a linear that stands out is the first to keep in W8A16 or float.</p>" +
        errors;
  const bool gptq =
      std::any_of(losses.begin(), losses.end(), [](const LinearLoss& loss) { return loss.method == "gptq"; });
  const std::string gains = gptq ? charts(losses, "loss", [](const LinearLoss& loss) { return loss.of_rtn(); }) : "";
  if (!gains.empty())
    out +=
        "<h3>GPTQ against rounding</h3><p>What is left of the error that rounding each weight to its nearest integer "
        "would make, with the same scales: <span class=\"formula\">tr((W-Q) H (W-Q)<sup>T</sup>)</span> after GPTQ "
        "over that after rounding. Lower is better; 100 % would be no gain.</p>" +
        gains;
  std::vector<std::vector<std::string>> rows;
  for (const LinearLoss& loss : losses)
    rows.push_back({html::code(loss.module), escaped(loss.method), html::number(loss.loss), html::number(loss.rtn_loss),
                    loss.of_rtn() < 0 ? "" : percent(loss.of_rtn()),
                    loss.relative_error < 0 ? "" : percent(loss.relative_error), std::to_string(loss.rows)});
  return out + folded_table("All " + html::plural(static_cast<std::int64_t>(losses.size()), "linear") + " as a table",
                            {"linear", "method", "loss", "rounding's", "of rounding's", "error", "rows"}, rows);
}

std::uint64_t bytes_of(const Json& json, const char* key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, json.get_int(key, 0)));
}

}  // namespace

std::string quantization_html(const Json& quantization) {
  const std::uint64_t before = bytes_of(quantization, "bytes_before"), after = bytes_of(quantization, "bytes_after");
  std::string out = "<div class=\"card\"><dl class=\"facts\"><dt>Octavo</dt><dd>" +
                    escaped(quantization.get_string("octavo_version", "?")) + "</dd><dt>calibration</dt><dd>" +
                    html::plural(quantization.get_int("calibration_samples", 0), "sample") + ", " +
                    html::plural(quantization.get_int("calibration_tokens", 0), "token") +
                    "</dd><dt>size</dt><dd>from " + html::size_text(before) + " to " + html::size_text(after);
  if (before > 0) out += " (" + percent(static_cast<double>(after) / static_cast<double>(before)) + ")";
  out += "</dd><dt>time</dt><dd>" + html::seconds_text(quantization.get_number("seconds", 0)) + "</dd>";
  if (bytes_of(quantization, "peak_rss_bytes") > 0)
    out += "<dt>peak memory</dt><dd>" + html::size_text(bytes_of(quantization, "peak_rss_bytes")) + "</dd>";
  out += "</dl>";
  if (const std::optional<Json> warnings = quantization.find("warnings"); warnings && warnings->size() > 0) {
    out += "<ul class=\"warnings\">";
    for (std::size_t i = 0; i < warnings->size(); ++i)
      out += "<li>" + html::tag("harmless", "warning") + " " + escaped(warnings->at(i).as_string()) + "</li>";
    out += "</ul>";
  }
  if (const std::optional<Json> skipped = quantization.find("skipped_samples"); skipped && skipped->size() > 0) {
    out += "<p>" + html::plural(static_cast<std::int64_t>(skipped->size()), "sample") +
           " left out, since they cannot be used:</p><ul class=\"warnings\">";
    for (std::size_t i = 0; i < skipped->size(); ++i)
      out += "<li>" + html::code(skipped->at(i).get_string("id", "")) + " " +
             escaped(skipped->at(i).get_string("reason", "")) + "</li>";
    out += "</ul>";
  }
  if (const std::optional<Json> recipe = quantization.find("recipe"); recipe && !recipe->is_null())
    out += "<details><summary>The recipe, as applied</summary><pre>" + escaped(recipe->dump(2)) + "</pre></details>";
  out += "</div>\n";
  const std::vector<LinearLoss> losses = losses_of(quantization);
  return losses.empty() ? out : out + loss_charts(losses);
}

std::optional<Json> quantization_of(const Report& report) {
  if (report.quantization.empty()) return std::nullopt;
  return Json::parse(report.quantization, "octavo_report.json");
}

}  // namespace report

std::string quantization_page(const Json& quantization) {
  std::string body =
      "<h1>How this model was quantized</h1>" + report::quantization_html(quantization) + "<footer>Octavo " +
      std::string(kVersion) +
      ". Whether the model still answers like its original: <code>octavo verify MODEL QUANTIZED --samples "
      "FILE --report FILE.html</code></footer>\n";
  return html::document("Octavo: quantization", report::style(), body);
}

}  // namespace octavo
