#include "charts.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "html.hpp"

namespace octavo::report {
namespace {

using html::escaped;
using html::fixed;
using html::percent;

// Pixels. A chart of a few blocks fits a telephone; one of eighty scrolls.
constexpr double kAxis = 46, kPlot = 104, kAbove = 12, kBelow = 20, kUsualWidth = 212, kTickSpace = 22;

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + fixed(value, 1) + "\"";
}

std::string text_at(double x, double y, const char* anchor, std::string_view text) {
  return "<text" + attribute("x", x) + attribute("y", y) + " text-anchor=\"" + anchor + "\">" + escaped(text) +
         "</text>";
}

std::string line_at(double x1, double y1, double x2, double y2, const char* look) {
  return "<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) + " class=\"" +
         look + "\"/>";
}

std::string svg(double width, double height, const std::string& label, const std::string& content) {
  return "<div class=\"scroll\"><svg class=\"chart\" role=\"img\" aria-label=\"" + escaped(label) + "\"" +
         attribute("width", width) + attribute("height", height) + " viewBox=\"0 0 " + fixed(width, 1) + " " +
         fixed(height, 1) + "\">" + content + "</svg></div>";
}

std::string figure(const std::string& title, const std::string& content) {
  return "<figure><figcaption>" + escaped(title) + "</figcaption>" + content + "</figure>\n";
}

/// How many groups go by between two ticks.
std::size_t stride(double pitch) { return static_cast<std::size_t>(std::max(1.0, std::ceil(kTickSpace / pitch))); }

std::string bar(double x, double width, double value, double top, const std::string& look, const std::string& title) {
  if (value < 0) return "";
  const double share = std::isfinite(value) ? std::min(1.0, value / top) : 1;
  const double height = std::max(share * kPlot, 1.0);
  std::string out = "<rect class=\"" + (std::isfinite(value) ? look : "notfinite") + "\"" + attribute("x", x) +
                    attribute("y", kAbove + kPlot - height) + attribute("width", width) + attribute("height", height) +
                    "><title>" + escaped(title) + "</title></rect>";
  if (!std::isfinite(value)) out += text_at(x + width / 2, kAbove - 2, "middle", "!");
  return out;
}

/// "largest 1.2 % at model.layers.3", for those who do not see the bars.
std::string summary_of(const BarChart& chart) {
  std::string text = chart.title;
  for (const Series& series : chart.series) {
    const auto worst = std::max_element(series.values.begin(), series.values.end(),
                                        [](double a, double b) { return !std::isnan(a) && (std::isnan(b) || a < b); });
    if (worst == series.values.end()) continue;
    text += "; " + series.name + " largest " + percent(*worst) + " at " +
            chart.names[static_cast<std::size_t>(worst - series.values.begin())];
  }
  return text;
}

}  // namespace

double round_top(double largest) {
  if (!(largest > 0) || !std::isfinite(largest)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(largest)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (largest <= step * power * (1 + 1e-9)) return step * power;
  return 10 * power;
}

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values)
    if (std::isfinite(value)) largest = std::max(largest, value);
  return largest;
}

std::string legend(const std::vector<std::pair<std::string, std::string>>& looks_and_names) {
  std::string out = "<p class=\"legend\">";
  for (const auto& [look, name] : looks_and_names)
    out += "<span><svg width=\"14\" height=\"12\" aria-hidden=\"true\"><rect class=\"" + escaped(look) +
           "\" x=\"1\" y=\"1\" width=\"12\" height=\"10\"/></svg>" + escaped(name) + "</span>";
  return out + "</p>\n";
}

std::string bar_chart(const BarChart& chart) {
  const auto groups = static_cast<double>(chart.names.size());
  const auto count = static_cast<double>(chart.series.size());
  double top = chart.top;
  if (top <= 0) {
    for (const Series& series : chart.series) top = std::max(top, largest_of(series.values));
    top = round_top(top);
  }
  const double pitch = std::clamp(kUsualWidth / std::max(groups, 1.0), 4 * count + 3, 56.0);
  const double width = kAxis + std::max(groups * pitch, 60.0) + 4;
  const double bar_width = pitch * 0.72 / std::max(count, 1.0);
  std::string content;
  for (const double share : {0.0, 0.5, 1.0}) {
    const double y = kAbove + kPlot * (1 - share);
    content += line_at(kAxis, y, width, y, "grid") + text_at(kAxis - 5, y + 4, "end", percent(top * share));
  }
  for (std::size_t i = 0; i < chart.names.size(); ++i) {
    const double left = kAxis + pitch * static_cast<double>(i);
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
      const Series& series = chart.series[s];
      const double x = left + pitch * 0.14 + bar_width * static_cast<double>(s);
      content += bar(x, bar_width - 1, series.values[i], top, series.look,
                     chart.names[i] + ": " + series.name + " " + percent(series.values[i]));
    }
    if (i % stride(pitch) == 0) content += text_at(left + pitch / 2, kAbove + kPlot + 14, "middle", chart.ticks[i]);
  }
  return figure(chart.title, svg(width, kAbove + kPlot + kBelow, summary_of(chart), content));
}

std::string heat_map(const HeatMap& map) {
  constexpr double kCell = 19, kLabel = 26, kHead = 16;
  double top = map.top;
  if (top <= 0)
    for (const std::vector<double>& row : map.values) top = std::max(top, largest_of(row));
  if (top <= 0) top = 1;
  const double height = map.names.size() > 40 ? 9 : 16;
  const double width = kLabel + kCell * static_cast<double>(map.columns.size()) + 2;
  const double bottom = kHead + height * static_cast<double>(map.names.size());
  std::string content;
  for (std::size_t column = 0; column < map.columns.size(); ++column)
    if (!map.column_ticks[column].empty())
      content += text_at(kLabel + kCell * static_cast<double>(column), kHead - 4, "middle", map.column_ticks[column]);
  for (std::size_t row = 0; row < map.names.size(); ++row) {
    const double y = kHead + height * static_cast<double>(row);
    if (row % (height < 12 ? 5 : 1) == 0) content += text_at(kLabel - 5, y + height / 2 + 4, "end", map.ticks[row]);
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      const double value = map.values[row][column];
      const double x = kLabel + kCell * static_cast<double>(column);
      const std::string title = map.names[row] + ", " + map.columns[column] + ": " + percent(value);
      content += "<rect class=\"" + std::string(std::isfinite(value) ? "heat" : "notfinite") + "\"" +
                 attribute("x", x + 0.5) + attribute("y", y + 0.5) + attribute("width", kCell - 1) +
                 attribute("height", height - 1);
      if (std::isfinite(value)) content += " fill-opacity=\"" + fixed(std::clamp(value / top, 0.0, 1.0), 3) + "\"";
      content += "><title>" + escaped(title) + "</title></rect>";
    }
  }
  if (map.boundary > 0) {
    const double x = kLabel + kCell * static_cast<double>(map.boundary);
    content += line_at(x, kHead - 2, x, bottom + 2, "boundary");
  }
  return figure(map.title, svg(width, bottom + 4, map.title + ", strongest colour " + percent(top), content));
}

ModuleName split_module(std::string_view path) {
  const auto is_number = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  };
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t dot = path.find('.', begin);
    if (dot == std::string_view::npos) break;
    const std::string_view part = path.substr(begin, dot - begin);
    if (is_number(part) && begin > 0)
      return {std::string(path.substr(0, dot)), std::string(path.substr(dot + 1)), std::string(part)};
    begin = dot + 1;
  }
  return {"", std::string(path), ""};
}

std::vector<KindGroup> by_kind(const std::vector<std::string>& paths) {
  std::vector<KindGroup> groups;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const ModuleName name = split_module(paths[i]);
    const std::string tower =
        name.block.substr(0, name.block.size() - std::min(name.block.size(), name.tick.size() + 1));
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const KindGroup& g) { return g.tower == tower && g.kind == name.kind; });
    if (group == groups.end()) group = groups.insert(group, {tower, name.kind, {}});
    group->members.push_back(i);
  }
  return groups;
}

std::string folded_table(std::string_view summary, const std::vector<std::string>& head,
                         const std::vector<std::vector<std::string>>& rows) {
  std::string out =
      "<details><summary>" + escaped(summary) + "</summary><div class=\"scroll\"><table class=\"figures\"><thead><tr>";
  for (const std::string& cell : head) out += "<th>" + escaped(cell) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    out += "<tr>";
    for (const std::string& cell : row) out += "<td>" + cell + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></details>\n";
}

}  // namespace octavo::report
