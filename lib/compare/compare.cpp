#include <algorithm>

#include "octavo/config.hpp"
#include "parts.hpp"

namespace octavo {
namespace detail {
namespace {

/// Where quantization_config cannot be read, compare_structure has said so.
bool is_w8a16(const Checkpoint& quantized, std::string_view module) {
  try {
    return quantized.scheme_of(module) == StoredScheme::w8a16;
  } catch (const Error&) {
    return false;
  }
}

/// What quantization was asked to do, one entry per linear.
void add_expected(const Checkpoint& quantized, CompareResult& result) {
  for (const TensorComparison& tensor : result.tensors) {
    if (!is_int8_weight(tensor)) continue;
    ++result.quantized_linears;
    if (tensor.verdict != Verdict::expected) continue;
    const auto [module, leaf] = split_tensor_name(tensor.name);
    std::string what = "stored as int8 with one scale per output channel";
    if (is_w8a16(quantized, module)) what += " under float activations (W8A16)";
    if (tensor.has_fit) {
      what += ", relative error " + percent_text(tensor.fit.relative_error);
      if (tensor.fit.zero_columns > 0) {
        what += "; " + std::to_string(tensor.fit.zero_columns) + " of " + std::to_string(tensor.original.dims[1]) +
                " input columns are 0 (inputs that calibration never saw active)";
      }
    }
    result.differences.push_back({Verdict::expected, std::string(module), std::move(what), tensor.original.to_string(),
                                  tensor.quantized.to_string(), ""});
  }
}

}  // namespace

bool is_int8_weight(const TensorComparison& tensor) {
  return split_tensor_name(tensor.name).second == "weight" && tensor.quantized.dtype == "I8" &&
         !tensor.original.dtype.empty() && tensor.original.dtype != "I8";
}

bool has_tied_head(const Checkpoint& checkpoint) {
  std::optional<bool> stated;
  try {
    stated = stated_tie(checkpoint.config());
  } catch (const Error&) {
    // compare_config says what is wrong with it
  }
  return embedding_is_head(checkpoint, stated);
}

std::string origin_of(const std::string& name, const Checkpoint& original) {
  const bool of_table = name == "lm_head.weight" && original.find(name) == nullptr;
  return of_table ? "model.embed_tokens.weight" : name;
}

}  // namespace detail

const char* verdict_name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::same:
      return "same";
    case Verdict::expected:
      return "expected";
    case Verdict::harmless:
      return "harmless";
    case Verdict::wrong:
      return "wrong";
  }
  return "unknown";
}

std::string TensorSide::to_string() const {
  return dtype.empty() ? std::string() : dtype + " " + Shape(std::span<const std::int64_t>(dims)).to_string();
}

std::int64_t CompareResult::count(Verdict verdict) const {
  return std::count_if(differences.begin(), differences.end(),
                       [verdict](const Difference& difference) { return difference.verdict == verdict; });
}

bool CompareResult::ok() const { return count(Verdict::wrong) == 0; }

std::pair<std::string_view, std::string_view> split_tensor_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {std::string_view(), name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

CompareResult compare(const std::string& original_dir, const std::string& quantized_dir,
                      const CompareOptions& options) {
  const Stopwatch watch;
  const detail::ComparedPair pair{in_context("compare: original", [&] { return Checkpoint::open(original_dir); }),
                                  in_context("compare: quantized", [&] { return Checkpoint::open(quantized_dir); })};
  if (pair.original.is_quantized()) {
    throw Error(ErrorCode::invalid_argument,
                "compare: " + original_dir +
                    " is quantized itself (its config.json has quantization_config); name the float model it was made "
                    "from as the original");
  }
  CompareResult result;
  result.original_dir = original_dir;
  result.quantized_dir = quantized_dir;
  result.original_bytes = pair.original.total_bytes();
  result.quantized_bytes = pair.quantized.total_bytes();
  result.values_read = options.values;
  JobProgress steps(options.progress, options.cancel, "compare", "there is no result");
  steps.stage("config and headers");
  detail::compare_config(pair, result);
  detail::compare_files(pair, steps, result);
  detail::compare_structure(pair, result);
  if (options.values) detail::compare_values(steps, result);
  detail::add_expected(pair.quantized, result);
  std::stable_sort(result.differences.begin(), result.differences.end(),
                   [](const Difference& a, const Difference& b) { return a.verdict > b.verdict; });
  result.seconds = watch.seconds();
  return result;
}

}  // namespace octavo
