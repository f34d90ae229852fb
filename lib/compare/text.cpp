#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "octavo/version.hpp"
#include "parts.hpp"

namespace octavo {
namespace detail {
namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string size_text(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

/// "model.layers.*.mlp" and the number that stood there; -1 without one.
std::pair<std::string, std::int64_t> without_layer(const std::string& name) {
  for (const char* list : {".layers.", ".blocks."}) {
    const std::size_t at = name.find(list);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + 8;
    const std::size_t end = name.find('.', begin);
    const std::string number = name.substr(begin, end == std::string::npos ? end : end - begin);
    if (number.empty() || number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos) continue;
    return {name.substr(0, begin) + "*" + (end == std::string::npos ? "" : name.substr(end)), std::stoll(number)};
  }
  return {name, -1};
}

/// Tensors that are alike in every layer, as one line.
struct Fold {
  std::string pattern;
  std::vector<std::int64_t> layers;
  const TensorComparison* first = nullptr;
  double least_error = 0, largest_error = 0;
  bool has_error = false;

  std::string name() const {
    const std::size_t star = pattern.find('*');
    if (star == std::string::npos || layers.empty()) return pattern;
    std::string numbers;
    for (std::size_t i = 0; i < layers.size();) {
      std::size_t end = i + 1;
      while (end < layers.size() && layers[end] == layers[end - 1] + 1) ++end;
      numbers += (numbers.empty() ? "" : ",") + std::to_string(layers[i]);
      if (end - i > 1) numbers += "-" + std::to_string(layers[end - 1]);
      i = end;
    }
    if (layers.size() > 1) numbers = "{" + numbers + "}";
    return pattern.substr(0, star) + numbers + pattern.substr(star + 1);
  }
};

std::vector<Fold> fold_layers(const std::vector<TensorComparison>& tensors) {
  std::vector<Fold> folds;
  std::map<std::string, std::size_t> place;
  for (const TensorComparison& tensor : tensors) {
    const auto [pattern, layer] = without_layer(tensor.name);
    const std::string key = pattern + "|" + tensor.original.to_string() + "|" + tensor.quantized.to_string() + "|" +
                            verdict_name(tensor.verdict);
    const auto [entry, is_new] = place.emplace(key, folds.size());
    if (is_new) folds.push_back({pattern, {}, &tensor, 0, 0, false});
    Fold& fold = folds[entry->second];
    if (layer >= 0) fold.layers.push_back(layer);
    if (!tensor.has_fit) continue;
    const double error = tensor.fit.relative_error;
    fold.least_error = fold.has_error ? std::min(fold.least_error, error) : error;
    fold.largest_error = fold.has_error ? std::max(fold.largest_error, error) : error;
    fold.has_error = true;
  }
  return folds;
}

std::string tree_text(const CompareResult& result) {
  struct Line {
    std::string name, original, quantized, verdict;
  };
  std::vector<Line> lines{{"tensor", "original", "quantized", ""}};
  for (const Fold& fold : fold_layers(result.tensors)) {
    const TensorComparison& tensor = *fold.first;
    std::string verdict = verdict_name(tensor.verdict);
    if (fold.has_error) {
      verdict += "  error " + percent_text(fold.least_error);
      if (fold.largest_error > fold.least_error) verdict += " to " + percent_text(fold.largest_error);
    }
    const auto side = [](const TensorSide& s) { return s.dtype.empty() ? std::string("-") : s.to_string(); };
    lines.push_back({fold.name(), side(tensor.original), side(tensor.quantized), std::move(verdict)});
  }
  std::size_t name = 0;
  std::size_t original = 0;
  std::size_t quantized = 0;
  for (const Line& line : lines) {
    name = std::max(name, line.name.size());
    original = std::max(original, line.original.size());
    quantized = std::max(quantized, line.quantized.size());
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row = "  " + padded(line.name, name + 2) + padded(line.original, original + 2) +
                      padded(line.quantized, quantized + 2) + line.verdict;
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string differences_text(const CompareResult& result, Verdict verdict) {
  std::string text;
  for (const Difference& difference : result.differences) {
    if (difference.verdict != verdict) continue;
    text += "  " + difference.where + ": " + difference.what;
    if (!difference.original.empty() || !difference.quantized.empty()) {
      const auto side = [](const std::string& value) { return value.empty() ? std::string("nothing") : value; };
      text += " (" + side(difference.original) + " -> " + side(difference.quantized) + ")";
    }
    text += "\n";
    if (!difference.remedy.empty()) text += "      " + difference.remedy + "\n";
  }
  return text;
}

/// Hundreds of linears that are as they should be take two lines.
std::string expected_text(const CompareResult& result) {
  std::vector<const TensorComparison*> fits;
  for (const TensorComparison& tensor : result.tensors) {
    if (tensor.has_fit && tensor.verdict == Verdict::expected) fits.push_back(&tensor);
  }
  std::string text =
      "  " + std::to_string(result.quantized_linears) + " linears are int8, one scale per output channel\n";
  if (fits.empty()) return text;
  std::sort(fits.begin(), fits.end(), [](const TensorComparison* a, const TensorComparison* b) {
    return a->fit.relative_error < b->fit.relative_error;
  });
  text += "  relative error ||W - q*s|| / ||W||: median " + percent_text(fits[fits.size() / 2]->fit.relative_error) +
          ", largest " + percent_text(fits.back()->fit.relative_error) + " (" +
          std::string(split_tensor_name(fits.back()->name).first) + ")\n";
  return text;
}

JsonBuilder side_json(const TensorSide& side) {
  if (side.dtype.empty()) return nullptr;
  JsonBuilder dims = JsonBuilder::array();
  for (const std::int64_t extent : side.dims) dims.push(extent);
  return JsonBuilder::object().set("dtype", side.dtype).set("shape", std::move(dims));
}

JsonBuilder tensor_json(const TensorComparison& tensor) {
  JsonBuilder json = JsonBuilder::object();
  json.set("name", tensor.name).set("class", verdict_name(tensor.verdict));
  json.set("original", side_json(tensor.original)).set("quantized", side_json(tensor.quantized));
  json.set("values_read", tensor.values_read);
  if (!tensor.values_read) return json;
  if (tensor.has_fit) {
    const LinearFit& fit = tensor.fit;
    json.set("relative_error", fit.relative_error)
        .set("scale_error_mean", fit.scale_error_mean)
        .set("scale_error_max", fit.scale_error_max)
        .set("scale_error_row", fit.scale_error_row)
        .set("scale_to_absmax_min", fit.scale_to_absmax_min)
        .set("scale_to_absmax_max", fit.scale_to_absmax_max)
        .set("zero_columns", fit.zero_columns);
  } else {
    json.set("bytes_equal", tensor.bytes_equal).set("max_abs_difference", tensor.max_abs_difference);
  }
  return json;
}

JsonBuilder text_or_null(const std::string& text) { return text.empty() ? JsonBuilder(nullptr) : JsonBuilder(text); }

}  // namespace
}  // namespace detail

JsonBuilder CompareResult::to_json() const {
  using detail::text_or_null;
  JsonBuilder found = JsonBuilder::array();
  for (const Difference& difference : differences) {
    found.push(JsonBuilder::object()
                   .set("class", verdict_name(difference.verdict))
                   .set("where", difference.where)
                   .set("what", difference.what)
                   .set("original", text_or_null(difference.original))
                   .set("quantized", text_or_null(difference.quantized))
                   .set("remedy", text_or_null(difference.remedy)));
  }
  JsonBuilder tensor_list = JsonBuilder::array();
  for (const TensorComparison& tensor : tensors) tensor_list.push(detail::tensor_json(tensor));
  JsonBuilder fields = JsonBuilder::array();
  for (const ConfigComparison& field : config) {
    fields.push(JsonBuilder::object()
                    .set("key", field.key)
                    .set("class", verdict_name(field.verdict))
                    .set("original", text_or_null(field.original))
                    .set("quantized", text_or_null(field.quantized)));
  }
  JsonBuilder file_list = JsonBuilder::array();
  for (const FileComparison& file : files) {
    const auto side = [](bool there, std::uint64_t bytes, const std::string& sha256) {
      if (!there) return JsonBuilder(nullptr);
      return JsonBuilder::object().set("bytes", static_cast<std::int64_t>(bytes)).set("sha256", sha256);
    };
    file_list.push(JsonBuilder::object()
                       .set("name", file.name)
                       .set("class", verdict_name(file.verdict))
                       .set("original", side(file.in_original, file.original_bytes, file.original_sha256))
                       .set("quantized", side(file.in_quantized, file.quantized_bytes, file.quantized_sha256)));
  }
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", kVersion).set("ok", ok());
  json.set("original", original_dir).set("quantized", quantized_dir).set("values_read", values_read);
  json.set("counts", JsonBuilder::object()
                         .set("wrong", count(Verdict::wrong))
                         .set("harmless", count(Verdict::harmless))
                         .set("expected", count(Verdict::expected)));
  json.set("quantized_linears", quantized_linears);
  json.set("original_bytes", static_cast<std::int64_t>(original_bytes))
      .set("quantized_bytes", static_cast<std::int64_t>(quantized_bytes));
  json.set("seconds", seconds);
  json.set("differences", std::move(found)).set("tensors", std::move(tensor_list));
  json.set("config", std::move(fields)).set("files", std::move(file_list));
  return json;
}

std::string CompareResult::to_text() const {
  using detail::differences_text;
  std::string text = "original   " + original_dir + "  (" + detail::size_text(original_bytes) + ")\n" + "quantized  " +
                     quantized_dir + "  (" + detail::size_text(quantized_bytes) + ")\n\n";
  text += detail::tree_text(*this) + "\n";
  if (count(Verdict::expected) > 0) text += "expected\n" + detail::expected_text(*this) + "\n";
  if (count(Verdict::harmless) > 0) text += "harmless\n" + differences_text(*this, Verdict::harmless) + "\n";
  if (!ok()) text += "WRONG\n" + differences_text(*this, Verdict::wrong) + "\n";
  text += std::to_string(count(Verdict::wrong)) + " wrong, " + std::to_string(count(Verdict::harmless)) +
          " harmless, " + std::to_string(count(Verdict::expected)) + " expected" +
          (values_read ? "" : "; no values were read, so swaps of equal shapes go unseen") + "\n";
  return text;
}

}  // namespace octavo
