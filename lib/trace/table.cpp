#include <algorithm>
#include <array>
#include <cstdio>

#include "octavo/trace.hpp"

namespace octavo {

namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

// Rows of cells as lines, columns as wide as their widest cell; the last is not padded.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string trace_table(std::span<const TraceRecord> records) {
  const bool values = std::any_of(records.begin(), records.end(), [](const TraceRecord& record) {
    return std::any_of(record.outputs.begin(), record.outputs.end(),
                       [](const TraceValue& value) { return value.all.has_value(); });
  });
  std::vector<std::vector<std::string>> rows{{"call", "phase", "module", "operation", "dims", "output"}};
  if (values) rows[0].insert(rows[0].end(), {"min", "max", "rms", "outliers", "nan", "inf"});
  for (const TraceRecord& record : records) {
    std::vector<std::string> row{std::to_string(record.call), record.phase, record.module_path, record.operation};
    std::string dims;
    for (const TraceDim& dim : record.dims)
      dims += (dims.empty() ? "" : " ") + dim.letter + "=" + std::to_string(dim.value);
    row.push_back(dims);
    for (const TraceValue& output : record.outputs) {  // each further output has a line of its own
      if (&output != record.outputs.data()) row.assign(5, "");
      row.push_back(output.name + " " + dtype_name(output.dtype) + " " + output.shape.to_string());
      if (output.all) {
        const ValueStatistics& all = *output.all;
        row.insert(row.end(), {number(all.min), number(all.max), number(all.rms), number(all.outlier_ratio),
                               std::to_string(all.nan_count), std::to_string(all.inf_count)});
      }
      rows.push_back(row);
    }
    if (record.outputs.empty()) rows.push_back(row);
  }
  return aligned(rows);
}

}  // namespace octavo
