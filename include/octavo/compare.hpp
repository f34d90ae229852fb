/// @file
/// Two model directories held side by side: an original and what was made of it.
///
///     CompareResult result = compare("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8");
///     std::cout << result.to_text();                    // or to_json(), or compare_page() of report.hpp
///     return result.ok() ? 0 : 1;
///
/// Every difference is either expected (quantization_config explains it), harmless (nothing reads it, or it says the
/// same in other words) or wrong. Names are compared in the published layout, config fields as they are parsed, so a
/// flat and a nested checkpoint of one model are the same model. Shapes come from the headers; values are read one
/// tensor at a time from the mapping, so that a swap that no shape can show is found, too, and named.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/job.hpp"
#include "octavo/json.hpp"

namespace octavo {

/// From harmless to grave.
enum class Verdict : std::uint8_t { same, expected, harmless, wrong };
/// "same", "expected", "harmless", "wrong"; never null.
const char* verdict_name(Verdict verdict) noexcept;

/// One finding.
struct Difference {
  Verdict verdict = Verdict::wrong;  ///< never `same`
  std::string where;                 ///< module path, tensor (published layout), config key or file name
  std::string what;                  ///< one line
  std::string original, quantized;   ///< both sides, e.g. "BF16 [192, 192]"; "" where a side has nothing
  std::string remedy;                ///< what to do; "" unless wrong
};

/// One side of a tensor, from its header.
struct TensorSide {
  std::string dtype;               ///< as stored, "BF16"; "" when the side has no such tensor
  std::vector<std::int64_t> dims;  ///< outermost first
  std::string to_string() const;   ///< "BF16 [192, 192]"; "" without a tensor
};

/// How an int8 linear stands to the float weight it was made from. W[N,K] is the original (folded, where a norm was
/// folded), q and s the stored weight and scales.
struct LinearFit {
  /// ||W - q*s|| / ||W||, Frobenius, over the input columns that q keeps. Rounding alone gives about 0.01; GPTQ, which
  /// moves weights to make up for each other, a few times that.
  double relative_error = 0;
  /// s over the scale that fits q best, <W_n, q_n> / <q_n, q_n>: mean |ratio - 1| over the rows, and the worst row.
  /// Independent of how scales were chosen, since a wrong scale cannot hide from the values.
  double scale_error_mean = 0, scale_error_max = 0;
  std::int64_t scale_error_row = -1;  ///< the worst row; -1 when every row is 0
  /// s * 127.5 / max|W_n| over the rows: 1 for min-max scales, down to 0.8 for scales that clip.
  double scale_to_absmax_min = 0, scale_to_absmax_max = 0;
  std::int64_t zero_columns = 0;  ///< input columns that are 0 in q, but not in W: GPTQ's dead inputs
};

/// One line of the module tree: a tensor that either side has.
struct TensorComparison {
  std::string name;  ///< published layout
  Verdict verdict = Verdict::same;
  TensorSide original, quantized;
  bool values_read = false;
  bool bytes_equal = false;        ///< with values_read, for tensors stored alike
  double max_abs_difference = -1;  ///< with values_read, for float tensors on both sides; else negative
  bool has_fit = false;            ///< with values_read, for the weight of an int8 linear
  LinearFit fit;
};

/// One field of the configuration.
struct ConfigComparison {
  std::string key;                  ///< "text_config.hidden_size", "vision_config.depth", ... whatever the layout
  std::string original, quantized;  ///< JSON; "" where it is not stated
  Verdict verdict = Verdict::same;
};

/// One file beside the weights.
struct FileComparison {
  std::string name;
  bool in_original = false, in_quantized = false;
  std::uint64_t original_bytes = 0, quantized_bytes = 0;
  std::string original_sha256, quantized_sha256;  ///< 64 hexadecimal digits; "" without a file
  Verdict verdict = Verdict::same;
};

struct CompareOptions {
  bool values = true;         ///< false: config, headers and small files alone; swaps of equal shapes go unseen
  ProgressCallback progress;  ///< a step is a tensor
  const std::atomic<bool>* cancel = nullptr;
};

struct CompareResult {
  std::string original_dir, quantized_dir;
  std::vector<Difference> differences;    ///< wrong ones first, then harmless, then expected
  std::vector<TensorComparison> tensors;  ///< every tensor of either side, by module, layers in numeric order
  std::vector<ConfigComparison> config;   ///< every field of either side
  std::vector<FileComparison> files;      ///< every file of either side but the weights and config.json, by name
  bool values_read = false;
  std::uint64_t original_bytes = 0, quantized_bytes = 0;  ///< of tensor data
  std::int64_t quantized_linears = 0;
  double seconds = 0;

  std::int64_t count(Verdict verdict) const;  ///< of differences
  bool ok() const;                            ///< nothing is wrong
  /// {"octavo_version", "ok", "original", "quantized", "values_read", "counts": {"wrong", "harmless", "expected"},
  ///  "differences": [{"class", "where", "what", "original", "quantized", "remedy"}], "tensors", "config", "files",
  ///  ...}
  JsonBuilder to_json() const;
  /// For a terminal: verdict, differences, and the module tree with equal layers folded into one line.
  std::string to_text() const;
};

/// "model.layers.0.mlp.up_proj" and "weight" of "model.layers.0.mlp.up_proj.weight".
std::pair<std::string_view, std::string_view> split_tensor_name(std::string_view name);

/// Compares `quantized_dir` with `original_dir`. Reads both, writes nothing. Of each side the headers and one
/// tensor are looked at, over a mapping that is renewed every 256 MiB.
/// @throws Error  what Checkpoint::open throws, when either directory cannot be read as a checkpoint;
///                invalid_argument when the original is quantized itself; unsupported or format when the original's
///                config.json does not parse; cancelled. What is wrong inside `quantized_dir` is a result, not an
///                error.
CompareResult compare(const std::string& original_dir, const std::string& quantized_dir,
                      const CompareOptions& options = {});

}  // namespace octavo
