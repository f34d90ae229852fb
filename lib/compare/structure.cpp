#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "parts.hpp"

namespace octavo::detail {
namespace {

/// "model.layers.2" before "model.layers.10": runs of digits count as numbers.
bool natural_less(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      std::size_t end_i = i;
      std::size_t end_j = j;
      while (end_i < a.size() && digit(a[end_i])) ++end_i;
      while (end_j < b.size() && digit(b[end_j])) ++end_j;
      if (end_i - i != end_j - j) return end_i - i < end_j - j;
      const int order = a.substr(i, end_i - i).compare(b.substr(j, end_j - j));
      if (order != 0) return order < 0;
      i = end_i;
      j = end_j;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

TensorSide side_of(const TensorInfo* info) {
  if (info == nullptr) return {};
  return {info->stored_dtype, {info->shape.dims().begin(), info->shape.dims().end()}};
}

/// Exact in every value: bf16 and f16 into f32.
bool widens(const std::string& from, const std::string& to) { return to == "F32" && (from == "BF16" || from == "F16"); }

bool is_float(const std::string& dtype) { return dtype == "F32" || dtype == "BF16" || dtype == "F16"; }

/// Left by savers; nothing reads them.
bool is_leftover(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with(".weight_shape");
}

/// Is "layers.3" or "blocks.3" the end of the path?
bool is_layer(std::string_view path) {
  const auto [parent, index] = split_tensor_name(path);
  return !index.empty() && std::all_of(index.begin(), index.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         (parent.ends_with("layers") || parent.ends_with("blocks"));
}

/// Names that one side lacks, a whole module told as one when nothing of it is left.
class Absent {
 public:
  explicit Absent(const std::vector<std::string>& names) {
    for (const std::string& name : names) for_each_prefix(name, [this](const std::string& p) { ++total_[p]; });
  }
  void add(const std::string& name) {
    names_.push_back(name);
    for_each_prefix(name, [this](const std::string& p) { ++absent_[p]; });
  }
  /// Path -> how many tensors; the outermost paths of which nothing is left.
  std::map<std::string, std::int64_t> groups() const {
    std::map<std::string, std::int64_t> found;
    for (const std::string& name : names_) {
      bool done = false;
      for_each_prefix(name, [&](const std::string& prefix) {
        const bool alone = total_.at(prefix) == 1 && prefix != name;  // a tensor is told by its full name
        if (done || alone || absent_.at(prefix) != total_.at(prefix)) return;
        ++found[prefix];
        done = true;
      });
    }
    return found;
  }

 private:
  /// "a", "a.b", "a.b.c"
  template <class Visit>
  static void for_each_prefix(const std::string& name, Visit&& visit) {
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      visit(name.substr(0, dot));
    }
    visit(name);
  }

  std::map<std::string, std::int64_t> total_, absent_;
  std::vector<std::string> names_;
};

class Structure {
 public:
  Structure(const ComparedPair& pair, CompareResult& result)
      : original_(pair.original),
        quantized_(pair.quantized),
        result_(result),
        missing_(original_.names()),
        extra_(quantized_.names()),
        tied_(has_tied_head(original_)) {}

  void run() {
    std::vector<std::string> names = original_.names();
    for (const std::string& name : quantized_.names()) {
      if (original_.find(name) == nullptr) names.push_back(name);
    }
    std::sort(names.begin(), names.end(), natural_less);
    for (const std::string& name : names) judge(name);
    report_absent(missing_, true);
    report_absent(extra_, false);
  }

 private:
  void judge(const std::string& name) {
    TensorComparison row;
    row.name = name;
    row.original = side_of(original_.find(name));
    row.quantized = side_of(quantized_.find(name));
    if (tied_ && row.quantized.dtype == "I8") row.original = side_of(original_.find(origin_of(name, original_)));
    if (row.quantized.dtype.empty()) {
      judge_missing(row);
    } else if (row.original.dtype.empty()) {
      judge_extra(row);
    } else {
      judge_pair(row);
    }
    result_.tensors.push_back(std::move(row));
  }

  void report(const TensorComparison& row, Verdict verdict, std::string what, std::string remedy = "") {
    result_.differences.push_back(
        {verdict, row.name, std::move(what), row.original.to_string(), row.quantized.to_string(), std::move(remedy)});
  }

  void judge_missing(TensorComparison& row) {
    if (is_leftover(row.name) || (row.name == "lm_head.weight" && tied_)) {
      row.verdict = Verdict::harmless;
      report(row, Verdict::harmless,
             is_leftover(row.name) ? "left out; nothing reads it"
                                   : "left out: the model is tied, its head is the embedding");
      return;
    }
    row.verdict = Verdict::wrong;
    missing_.add(row.name);
  }

  void judge_extra(TensorComparison& row) {
    const auto [module, leaf] = split_tensor_name(row.name);
    if (leaf == "weight_scale" && scheme_of(module) != StoredScheme::none) {
      judge_scale(row, std::string(module));
      return;
    }
    if (is_leftover(row.name) || (row.name == "lm_head.weight" && tied_)) {
      row.verdict = Verdict::harmless;
      report(row, Verdict::harmless,
             is_leftover(row.name) ? "added; nothing reads it"
                                   : "a copy of the embedding that a tied model does not need");
      return;
    }
    row.verdict = Verdict::wrong;
    extra_.add(row.name);
  }

  void judge_scale(TensorComparison& row, const std::string& module) {
    const TensorInfo* weight = quantized_.find(module + ".weight");
    const std::vector<std::int64_t>& dims = row.quantized.dims;
    const bool one_per_row = weight != nullptr && weight->shape.rank() == 2 && !dims.empty() &&
                             dims[0] == weight->shape[0] && (dims.size() == 1 || (dims.size() == 2 && dims[1] == 1));
    row.verdict = one_per_row && is_float(row.quantized.dtype) ? Verdict::expected : Verdict::wrong;
    if (row.verdict == Verdict::expected) return;
    const std::string rows = weight != nullptr && weight->shape.rank() == 2 ? std::to_string(weight->shape[0]) : "N";
    report(row, Verdict::wrong,
           "the scales do not fit their weight: one per output channel is [" + rows + ", 1] in a float type",
           "quantize again with strategy \"channel\"");
  }

  void judge_pair(TensorComparison& row) {
    const auto [module, leaf] = split_tensor_name(row.name);
    const StoredScheme scheme = leaf == "weight" ? scheme_of(module) : StoredScheme::none;
    if (row.original.dims != row.quantized.dims) {
      row.verdict = Verdict::wrong;
      report(row, Verdict::wrong, shape_problem(row),
             "restore the original's shape: dimensions do not change when a model is quantized");
    } else if (scheme != StoredScheme::none) {
      judge_quantized(row, std::string(module));
    } else if (row.original.dtype != row.quantized.dtype) {
      judge_dtype(row);
    }
  }

  static std::string shape_problem(const TensorComparison& row) {
    std::vector<std::int64_t> reversed(row.original.dims.rbegin(), row.original.dims.rend());
    if (reversed == row.quantized.dims) return "two dimensions are swapped";
    if (row.original.dims.size() != row.quantized.dims.size()) return "has another number of dimensions";
    std::string which;
    for (std::size_t i = 0; i < reversed.size(); ++i) {
      if (row.original.dims[i] == row.quantized.dims[i]) continue;
      which += (which.empty() ? "dimension " : ", dimension ") + std::to_string(i) + " is " +
               std::to_string(row.quantized.dims[i]) + " instead of " + std::to_string(row.original.dims[i]);
    }
    return which;
  }

  void judge_quantized(TensorComparison& row, const std::string& module) {
    row.verdict = Verdict::wrong;
    if (row.quantized.dtype != "I8") {
      report(row, Verdict::wrong, "quantization_config says int8, but the weight is stored as " + row.quantized.dtype,
             "list " + module + " in quantization_config.ignore, or quantize it");
    } else if (quantized_.find(module + ".weight_scale") == nullptr) {
      report(row, Verdict::wrong, "int8 without weight_scale: its values mean nothing",
             "restore " + module + ".weight_scale from the quantizer's output");
    } else if (!is_float(row.original.dtype)) {
      report(row, Verdict::wrong, "the original is stored as " + row.original.dtype + ", which is no float weight",
             "name the float model that this one was made from");
    } else {
      row.verdict = Verdict::expected;
    }
  }

  void judge_dtype(TensorComparison& row) {
    if (widens(row.original.dtype, row.quantized.dtype)) {
      row.verdict = Verdict::harmless;
      report(row, Verdict::harmless, "stored in a wider type that holds the same values");
      return;
    }
    row.verdict = Verdict::wrong;
    const bool int8 = row.quantized.dtype == "I8";
    report(row, Verdict::wrong,
           int8 ? "stored as int8, but quantization_config does not quantize it"
                : "the element type changed, which quantization_config does not explain",
           int8 ? "take it out of quantization_config.ignore, or restore the float weight"
                : "load the original in its own torch_dtype before quantizing");
  }

  /// By quantization_config; where that cannot be read, by what is stored, and the reason is reported once.
  StoredScheme scheme_of(std::string_view module) {
    try {
      return quantized_.scheme_of(module);
    } catch (const Error& error) {
      if (complained_.insert(error.what()).second) {
        result_.differences.push_back({Verdict::wrong, "quantization_config", error.what(), "", "",
                                       "write the model in compressed-tensors int-quantized or pack-quantized form"});
      }
    }
    const TensorInfo* weight = quantized_.find(std::string(module) + ".weight");
    return weight != nullptr && weight->dtype == DType::s8 ? StoredScheme::w8a8_dynamic : StoredScheme::none;
  }

  void report_absent(const Absent& absent, bool missing) {
    for (const auto& [path, count] : absent.groups()) {
      const Checkpoint& holder = missing ? original_ : quantized_;
      const TensorInfo* tensor = holder.find(path);
      const std::string side = tensor != nullptr ? side_of(tensor).to_string() : std::to_string(count) + " tensors";
      const std::string kind = is_layer(path) ? "a whole layer " : (tensor != nullptr ? "" : "a whole module ");
      Difference difference{
          Verdict::wrong,
          path,
          kind + (missing ? "is missing" : "is there that the original does not have"),
          missing ? side : "",
          missing ? "" : side,
          missing ? "copy it from the original, or quantize again" : "remove it, or name the original that has it"};
      if (kind.empty()) difference.what = missing ? "missing" : "the original has no such tensor";
      result_.differences.push_back(std::move(difference));
    }
  }

  const Checkpoint& original_;
  const Checkpoint& quantized_;
  CompareResult& result_;
  Absent missing_, extra_;
  bool tied_;
  std::set<std::string> complained_;
};

}  // namespace

void compare_structure(const ComparedPair& pair, CompareResult& result) { Structure(pair, result).run(); }

}  // namespace octavo::detail
