/// Charts as inline SVG, for values that are shares (0.01 is shown as 1 %). Each names every value in a <title>; what
/// is not finite is marked, what is negative is absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octavo::report {

struct Series {
  std::string name;
  std::string look;  ///< CSS class: "solid", "hollow"
  std::vector<double> values;
};

/// Bars in groups, side by side. All vectors are of one length.
struct BarChart {
  std::string title;
  std::vector<std::string> names;  ///< of the groups, in full
  std::vector<std::string> ticks;  ///< short ones, under the axis
  std::vector<Series> series;
  double top = 0;  ///< end of the axis; 0: what the largest value asks for
};
std::string bar_chart(const BarChart& chart);
/// A round number (1, 1.5, 2, 3, ... times a power of ten) not below `largest`; 1 of what is not positive and finite.
double round_top(double largest);
/// The largest finite value, 0 without one.
double largest_of(const std::vector<double>& values);
/// What each look means; for one series there is nothing to tell apart.
std::string legend(const std::vector<std::pair<std::string, std::string>>& looks_and_names);

/// Rows of cells, the stronger in colour the larger.
struct HeatMap {
  std::string title;
  std::vector<std::string> names, ticks;  ///< of the rows
  std::vector<std::string> columns, column_ticks;
  std::vector<std::vector<double>> values;  ///< [rows][columns]
  std::size_t boundary = 0;                 ///< a line before this column; 0: none
  double top = 0;                           ///< of the strongest colour; 0: the largest value
};
std::string heat_map(const HeatMap& map);

/// Values of modules, gathered by what the module is within its block, in order of appearance: one chart each.
///
///     "model.layers.3.mlp.down_proj"  ->  block "model.layers.3", kind "mlp.down_proj", tick "3"
struct ModuleName {
  std::string block, kind, tick;
};
ModuleName split_module(std::string_view path);  ///< block and tick are "" of a module outside the blocks
struct KindGroup {
  std::string tower;  ///< "model.layers", "visual.blocks", ""
  std::string kind;
  std::vector<std::size_t> members;  ///< indices into the paths
};
std::vector<KindGroup> by_kind(const std::vector<std::string>& paths);

/// Folded, since the charts show the same: a header line and rows of markup.
std::string folded_table(std::string_view summary, const std::vector<std::string>& head,
                         const std::vector<std::vector<std::string>>& rows);

}  // namespace octavo::report
