// Where the error is: blocks, groups, towers, and what the groups' inputs look like.
#include <algorithm>
#include <cmath>

#include "charts.hpp"
#include "html.hpp"
#include "sections.hpp"

namespace octavo::report {
namespace {

using html::code;
using html::escaped;
using html::number;
using html::percent;

constexpr std::size_t kWorstGroups = 6;

/// "model.layers" as a reader would say it.
std::string tower_title(const std::string& prefix) {
  if (prefix.starts_with("visual")) return "Vision tower";
  if (prefix.starts_with("model")) return "Language model";
  return prefix.empty() ? "Outside the blocks" : prefix;
}

std::vector<std::string> groups_of(const std::vector<GroupSensitivity>& groups) {
  std::vector<std::string> paths;
  for (const GroupSensitivity& group : groups) paths.push_back(group.input_group);
  return paths;
}

/// "mlp.gate_up", of "mlp.gate_up_input".
std::string group_kind(const std::string& kind) {
  return kind.ends_with("_input") ? kind.substr(0, kind.size() - 6) : kind;
}

struct GroupFigure {
  std::string name, look;
  double (*value)(const GroupSensitivity& group);
};

/// One chart per tower and kind of group, a group of bars per block; one scale for a tower.
std::string group_charts(const std::vector<GroupSensitivity>& groups, const std::vector<GroupFigure>& figures) {
  const std::vector<KindGroup> kinds = by_kind(groups_of(groups));
  std::string out, tower;
  for (std::size_t g = 0; g < kinds.size(); ++g) {
    const KindGroup& kind = kinds[g];
    if (g == 0 || kind.tower != tower) {
      out += std::string(g == 0 ? "" : "</div>\n") + "<h4>" + escaped(tower_title(kind.tower)) +
             "</h4><div class=\"charts\">\n";
      tower = kind.tower;
    }
    BarChart chart;
    chart.title = group_kind(kind.kind);
    double top = 0;
    for (const KindGroup& other : kinds)
      for (const std::size_t i : other.members)
        if (other.tower == tower)
          for (const GroupFigure& figure : figures) {
            const double value = figure.value(groups[i]);
            if (std::isfinite(value)) top = std::max(top, value);
          }
    chart.top = round_top(top);
    for (const GroupFigure& figure : figures) chart.series.push_back({figure.name, figure.look, {}});
    for (const std::size_t i : kind.members) {
      chart.names.push_back(groups[i].input_group);
      chart.ticks.push_back(split_module(groups[i].input_group).tick);
      for (std::size_t s = 0; s < figures.size(); ++s) chart.series[s].values.push_back(figures[s].value(groups[i]));
    }
    out += bar_chart(chart);
  }
  return out + (kinds.empty() ? "" : "</div>\n");
}

std::string optional_number(const std::optional<double>& value) { return value ? number(*value) : ""; }

std::vector<std::string> group_row(const GroupSensitivity& group, bool exact) {
  const ActivationSummary& seen = group.activations;
  std::vector<std::string> row{code(group.input_group),
                               percent(group.quantized_error),
                               percent(group.weight_error),
                               percent(seen.outlier_ratio),
                               percent(seen.zeroed_ratio),
                               number(seen.rms),
                               number(seen.min) + " to " + number(seen.max),
                               std::to_string(seen.largest_channel) + ", " + number(seen.channel_ratio) + " times"};
  if (exact) {
    row.push_back(optional_number(group.alone_kl));
    row.push_back(optional_number(group.w8a16_kl));
    row.push_back(optional_number(group.restored_kl));
  }
  return row;
}

std::string groups_table(const std::vector<const GroupSensitivity*>& groups, bool exact, const std::string& summary) {
  std::vector<std::string> head{"module group", "error", "of weights alone", "outliers", "rounded to 0",
                                "rms",          "range", "largest channel"};
  if (exact) {
    head.emplace_back("KL, alone quantized");
    head.emplace_back("KL, in W8A16");
    head.emplace_back("KL, in float");
  }
  std::vector<std::vector<std::string>> rows;
  for (const GroupSensitivity* group : groups) rows.push_back(group_row(*group, exact));
  return folded_table(summary, head, rows);
}

std::string worst_list(const std::vector<const GroupSensitivity*>& groups) {
  std::string out = "<ol class=\"worst\">";
  for (std::size_t i = 0; i < std::min(kWorstGroups, groups.size()); ++i) {
    const GroupSensitivity& group = *groups[i];
    out += "<li>" + code(group.input_group) + " changes its block&#39;s output by <b>" +
           percent(group.quantized_error) + "</b>, by " + percent(group.weight_error) + " with float activations</li>";
  }
  return out + "</ol>\n";
}

}  // namespace

std::string layers_html(const VerifyResult& verify) {
  std::vector<const LayerReport*> layers;
  std::vector<std::string> towers;  // prefixes, in order
  const auto prefix = [](const LayerReport& layer) {
    const std::string& path = layer.module_path;
    return path.substr(0, path.find_last_of('.') == std::string::npos ? 0 : path.find_last_of('.'));
  };
  for (const LayerReport& layer : verify.layers) {
    if (layer.relative_error < 0) continue;
    layers.push_back(&layer);
    if (std::find(towers.begin(), towers.end(), prefix(layer)) == towers.end()) towers.push_back(prefix(layer));
  }
  if (layers.empty()) return "";
  std::string out =
      "<p>How far the hidden states behind each block are from the original&#39;s, as the error accumulates from block "
      "to block: <span class=\"formula\">||h&#39; - h|| / ||h||</span>.</p><div class=\"charts\">\n";
  for (const std::string& tower : towers) {
    BarChart chart;
    chart.title = tower_title(tower);
    chart.series.push_back({"error", "solid", {}});
    for (const LayerReport* layer : layers) {
      if (prefix(*layer) != tower) continue;
      chart.names.push_back(layer->module_path);
      chart.ticks.push_back(tower.empty() ? layer->module_path : layer->module_path.substr(tower.size() + 1));
      chart.series[0].values.push_back(layer->relative_error);
    }
    out += bar_chart(chart);
  }
  std::vector<std::vector<std::string>> rows;
  for (const LayerReport* layer : layers)
    rows.push_back({code(layer->module_path), percent(layer->relative_error), std::to_string(layer->rows)});
  return out + "</div>\n" + folded_table("As a table", {"block", "error", "rows"}, rows);
}

std::string groups_html(const Attribution& attribution) {
  if (attribution.groups.empty()) return "";
  std::vector<const GroupSensitivity*> groups;
  for (const GroupSensitivity& group : attribution.groups) groups.push_back(&group);
  const bool exact = std::any_of(groups.begin(), groups.end(),
                                 [](const GroupSensitivity* group) { return group->alone_kl.has_value(); });
  std::vector<const GroupSensitivity*> worst = groups;
  std::stable_sort(worst.begin(), worst.end(), [](const GroupSensitivity* a, const GroupSensitivity* b) {
    const bool nan_a = std::isnan(a->quantized_error), nan_b = std::isnan(b->quantized_error);
    return nan_a != nan_b ? nan_a : a->quantized_error > b->quantized_error;
  });
  std::string out =
      "<p>A module group is the int8 linears of a block that see the same input; runtimes fuse them. Relative "
      "change of the block&#39;s output by each group alone, all else as in the original (" +
      html::plural(attribution.proxy_samples, "sample") + "):</p>" + worst_list(worst);
  out += legend({{"solid", "as stored: int8 weights and activations"}, {"hollow", "int8 weights, float activations"}});
  out +=
      group_charts(attribution.groups,
                   {{"as stored", "solid", [](const GroupSensitivity& group) { return group.quantized_error; }},
                    {"float activations", "hollow", [](const GroupSensitivity& group) { return group.weight_error; }}});
  out +=
      "<p>Where the solid bar is much higher, the error comes from int8 activations, and W8A16 helps; where both are "
      "high, it comes from the int8 weights.</p>";
  out += groups_table(groups, exact,
                      "All " + html::plural(static_cast<std::int64_t>(groups.size()), "group") + " as a table");
  return out;
}

std::string towers_html(const Attribution& attribution) {
  if (attribution.variants.empty()) return "";
  double largest = 0;
  for (const VariantMetrics& variant : attribution.variants)
    if (variant.metrics.kl && std::isfinite(*variant.metrics.kl)) largest = std::max(largest, *variant.metrics.kl);
  std::string out =
      "<p>Partly quantized models on the same samples: only one tower quantized, or every group in W8A16.</p>"
      "<div class=\"card scroll\"><table class=\"stack figures\"><thead><tr><th>model</th><th>int8 linears</th><th>KL, "
      "nats</th><th>token agreement</th><th>right answers</th></tr></thead><tbody>\n";
  for (const VariantMetrics& variant : attribution.variants) {
    const StepMetrics& metrics = variant.metrics;
    const double share = metrics.kl && largest > 0 ? std::clamp(*metrics.kl / largest, 0.0, 1.0) : 0;
    out += "<tr><td>" + escaped(variant.name) + "</td><td data-l=\"int8 linears\">" +
           std::to_string(variant.int8_linears) + "</td><td data-l=\"KL, nats\">";
    if (metrics.kl)
      out += "<span class=\"err\"><span class=\"bar\" style=\"width:" +
             html::fixed(std::isnan(share) ? 120 : 120 * share, 0) + "px\"></span>" + number(*metrics.kl) + "</span>";
    out += "</td><td data-l=\"token agreement\">" + (metrics.token_agreement ? percent(*metrics.token_agreement) : "") +
           "</td><td data-l=\"right answers\">" +
           (metrics.quantized_accuracy ? percent(*metrics.quantized_accuracy) : "") + "</td></tr>\n";
  }
  out += "</tbody></table></div>\n";
  for (const Tower tower : {Tower::vision, Tower::language}) {
    const bool quantized = std::any_of(attribution.groups.begin(), attribution.groups.end(),
                                       [&](const GroupSensitivity& group) { return group.tower == tower; });
    if (!quantized)
      out += std::string("<p>The ") + (tower == Tower::vision ? "vision tower" : "language model") +
             " has no int8 linear, so it loses nothing.</p>\n";
  }
  return out;
}

std::string activations_html(const Attribution& attribution) {
  if (attribution.groups.empty()) return "";
  constexpr std::size_t kBins = std::tuple_size_v<decltype(ActivationSummary::histogram)>;
  // Half a step of int8 is absmax/254: what is above 2^-8 of the row's largest rounds to a step at least, the rest to
  // 0.
  constexpr std::size_t kHeld = 8;
  const std::vector<GroupSensitivity>& groups = attribution.groups;
  double top = 0;
  for (const GroupSensitivity& group : groups)
    for (const double share : group.activations.histogram)
      if (std::isfinite(share)) top = std::max(top, share);
  std::string out =
      "<p>The values that enter each group in the original, by size within their row: the first column holds what is "
      "more than half of the row&#39;s largest value, each further one values down to half of those before it, the "
      "last "
      "one everything smaller. int8 rounds what is right of the line to 0. Rows are blocks; the strongest colour is " +
      percent(top) + ".</p>";
  std::string tower;
  bool open = false;
  for (const KindGroup& group : by_kind(groups_of(groups))) {
    if (!open || group.tower != tower) {
      out += std::string(open ? "</div>\n" : "") + "<h4>" + escaped(tower_title(group.tower)) +
             "</h4><div class=\"charts\">\n";
      tower = group.tower;
      open = true;
    }
    HeatMap map;
    map.title = group_kind(group.kind);
    map.boundary = kHeld;
    map.top = top;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      const std::string upper = bin == 0 ? "1" : "1/" + std::to_string(1U << bin);
      const std::string lower = "1/" + std::to_string(2U << bin);
      map.columns.push_back(bin + 1 == kBins ? "up to " + upper : "above " + lower + " up to " + upper);
      map.column_ticks.push_back(bin % 4 == 0 ? upper : "");
    }
    for (const std::size_t i : group.members) {
      map.names.push_back(groups[i].input_group);
      map.ticks.push_back(split_module(groups[i].input_group).tick);
      map.values.emplace_back(groups[i].activations.histogram.begin(), groups[i].activations.histogram.end());
    }
    out += heat_map(map);
  }
  out += "</div>\n<h3>Outliers</h3><p>Share of the values beyond 6 rms, by block:</p>";
  out += group_charts(groups, {{"beyond 6 rms", "solid",
                                [](const GroupSensitivity& group) { return group.activations.outlier_ratio; }}});
  out +=
      "<h3>Rounded to 0</h3><p>Share of the values other than 0 that int8 makes 0, since another in the row is so much "
      "larger:</p>";
  out += group_charts(groups, {{"rounded to 0", "solid",
                                [](const GroupSensitivity& group) { return group.activations.zeroed_ratio; }}});
  return out;
}

}  // namespace octavo::report
