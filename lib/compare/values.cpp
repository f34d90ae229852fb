#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>

#include "parts.hpp"
#include "weights.hpp"

namespace octavo::detail {
namespace {

/// A norm that was folded into its linears leaves rounding of the stored type behind, no more: bf16's is 2^-8.
constexpr double kFolded = 0.01;

/// One directory, opened anew whenever 256 MiB of it were looked at: the pages leave with the old mapping.
class Mapping {
 public:
  explicit Mapping(const std::string& directory) : checkpoint_(Checkpoint::open(directory)) {}
  const Checkpoint& open(std::uint64_t bytes) {
    constexpr std::uint64_t kMost = std::uint64_t{256} << 20;
    if (used_ > 0 && used_ + bytes > kMost) {
      checkpoint_ = Checkpoint::open(checkpoint_.directory());
      used_ = 0;
    }
    used_ += bytes;
    return checkpoint_;
  }
  /// For look-ups that touch no data.
  const Checkpoint& headers() const { return checkpoint_; }
  Tensor tensor(const std::string& name) {
    const TensorInfo& info = checkpoint_.info(name);
    return open(info.end - info.begin).tensor(name);
  }

 private:
  Checkpoint checkpoint_;
  std::uint64_t used_ = 0;
};

/// The norm whose output a linear reads, for models named like the published ones; "" for the rest. Some quantizers
/// move scale from activations into weights through it.
std::string norm_before(std::string_view module) {
  struct Use {
    std::string_view linear, norm;
  };
  static constexpr std::array<Use, 8> kLanguage{{{".self_attn.q_proj", ".input_layernorm.weight"},
                                                 {".self_attn.k_proj", ".input_layernorm.weight"},
                                                 {".self_attn.v_proj", ".input_layernorm.weight"},
                                                 {".mlp.gate_proj", ".post_attention_layernorm.weight"},
                                                 {".mlp.up_proj", ".post_attention_layernorm.weight"},
                                                 {".attn.qkv", ".norm1.weight"},
                                                 {".mlp.gate_proj", ".norm2.weight"},
                                                 {".mlp.up_proj", ".norm2.weight"}}};
  for (const Use& use : kLanguage) {
    if (!module.ends_with(use.linear)) continue;
    const bool vision = module.starts_with("visual.");
    if (vision != use.norm.starts_with(".norm")) continue;
    return std::string(module.substr(0, module.size() - use.linear.size())) + std::string(use.norm);
  }
  return "";
}

class ValuesPart {
 public:
  ValuesPart(JobProgress& steps, CompareResult& result)
      : original_(result.original_dir), quantized_(result.quantized_dir), steps_(steps), result_(result) {}

  void run() {
    steps_.set_total(static_cast<std::int64_t>(result_.tensors.size()));
    // Norms and the like first: whether a linear fits may depend on what became of the norm before it.
    for (TensorComparison& row : result_.tensors) {
      if (!is_linear_weight(row)) visit(row, [&] { plain(row); });
    }
    for (TensorComparison& row : result_.tensors) {
      if (is_linear_weight(row)) visit(row, [&] { is_int8_weight(row) ? int8_linear(row) : float_linear(row); });
    }
    for (const std::size_t index : changed_norms_) judge_norm(result_.tensors[index]);
  }

 private:
  std::string origin(const std::string& name) const { return origin_of(name, original_.headers()); }

  struct ChangedNorm {
    std::vector<float> factors;                  // original over quantized: what its linears must have taken up
    std::vector<std::string> folded, untouched;  // linears behind it
  };

  /// A matrix whose module may read a norm, or is int8.
  static bool is_linear_weight(const TensorComparison& row) {
    return is_int8_weight(row) || (row.original.dims.size() == 2 && row.name.ends_with(".weight"));
  }

  template <class Job>
  void visit(const TensorComparison& row, Job&& job) {
    steps_.stage("values: " + row.name);
    const bool comparable =
        row.verdict != Verdict::wrong && !row.original.dtype.empty() && !row.quantized.dtype.empty();
    if (comparable) job();
    steps_.advance();
  }

  void report(TensorComparison& row, Verdict verdict, const std::string& where, std::string what,
              std::string remedy = "") {
    row.verdict = verdict;
    result_.differences.push_back(
        {verdict, where, std::move(what), row.original.to_string(), row.quantized.to_string(), std::move(remedy)});
  }

  // --- Tensors that quantization leaves alone ---

  /// Reads both sides; true when they hold the same values. Sets the row's statistics.
  bool equal(TensorComparison& row, const Tensor& a, const Tensor& b) {
    row.values_read = true;
    if (a.dtype() == b.dtype()) {
      row.bytes_equal = a.numel() == 0 || std::memcmp(a.raw(), b.raw(), a.size_bytes()) == 0;
      if (row.bytes_equal) {
        row.max_abs_difference = 0;
        return true;
      }
    }
    row.max_abs_difference = plain_difference(a, b).max_abs;
    return row.max_abs_difference == 0;
  }

  static bool readable(const TensorInfo& info) {
    return info.dtype == DType::f32 || info.dtype == DType::bf16 || info.dtype == DType::f16 || info.dtype == DType::s8;
  }
  bool readable(const std::string& name) const {
    return readable(original_.headers().info(name)) && readable(quantized_.headers().info(name));
  }

  void plain(TensorComparison& row) {
    if (!readable(row.name)) return;
    const Tensor a = original_.tensor(row.name);
    const Tensor b = quantized_.tensor(row.name);
    if (equal(row, a, b)) return;
    if (is_norm(row)) {
      changed_norms_.push_back(static_cast<std::size_t>(&row - result_.tensors.data()));
      norms_[row.name].factors = factors_of(a, b);
      return;
    }
    report_changed(row, b);
  }

  /// The values of another tensor, or just different ones.
  void report_changed(TensorComparison& row, const Tensor& b) {
    const std::string twin = find_twin(row, b);
    report(row, Verdict::wrong, row.name,
           twin.empty() ? "the values differ, by up to " + number(row.max_abs_difference) +
                              ", though the tensor is not quantized"
                        : "holds the values of " + twin,
           "copy it from the original");
  }

  static std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", value);
    return text.data();
  }

  /// Another tensor of the original with these very bytes, or "transposed".
  std::string find_twin(const TensorComparison& row, const Tensor& b) {
    for (const TensorComparison& other : result_.tensors) {
      if (other.name == row.name || other.original.dims != row.original.dims ||
          other.original.dtype != row.quantized.dtype || b.numel() == 0) {
        continue;
      }
      steps_.check_cancelled();
      const Tensor candidate = original_.tensor(origin(other.name));
      if (std::memcmp(candidate.raw(), b.raw(), b.size_bytes()) == 0) return other.name;
    }
    return "";
  }

  // --- Norms ---

  bool is_norm(const TensorComparison& row) const {
    if (row.original.dims.size() != 1) return false;
    return std::any_of(result_.tensors.begin(), result_.tensors.end(), [&](const TensorComparison& other) {
      return norm_before(split_tensor_name(other.name).first) == row.name;
    });
  }

  /// Empty when no finite factors exist.
  static std::vector<float> factors_of(const Tensor& original, const Tensor& quantized) {
    std::vector<float> a(static_cast<std::size_t>(original.numel()));
    std::vector<float> b(a.size());
    read_floats(original, 0, original.numel(), a.data());
    read_floats(quantized, 0, quantized.numel(), b.data());
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = a[i] == b[i] ? 1.0F : a[i] / b[i];
      if (!std::isfinite(a[i])) return {};
    }
    return a;
  }

  void judge_norm(TensorComparison& row) {
    const ChangedNorm& norm = norms_[row.name];
    if (norm.untouched.empty() && !norm.folded.empty()) {
      report(row, Verdict::harmless, row.name,
             "its scale moved into the " + std::to_string(norm.folded.size()) +
                 " linears behind it, which make up for it");
      return;
    }
    const Tensor b = quantized_.tensor(row.name);
    if (const std::string twin = find_twin(row, b); !twin.empty()) {
      report(row, Verdict::wrong, row.name, "holds the values of " + twin, "copy it from the original");
      return;
    }
    std::string linears;
    for (const std::string& name : norm.untouched) linears += (linears.empty() ? "" : ", ") + name;
    report(row, Verdict::wrong, row.name,
           "the norm changed, by up to " + number(row.max_abs_difference) +
               (linears.empty() ? "" : ", and is not folded into " + linears),
           "copy it from the original, or fold the change into the linears before quantizing them");
  }

  /// Factors that the linear must have taken up; null when the norm before it is as it was.
  ChangedNorm* norm_of(std::string_view module) {
    const auto found = norms_.find(norm_before(module));
    return found == norms_.end() || found->second.factors.empty() ? nullptr : &found->second;
  }

  void float_linear(TensorComparison& row) {
    if (!readable(row.name)) return;
    const std::string module(split_tensor_name(row.name).first);
    const Tensor a = original_.tensor(row.name);
    const Tensor b = quantized_.tensor(row.name);
    const bool unchanged = equal(row, a, b);
    ChangedNorm* norm = norm_of(module);
    if (norm != nullptr && !unchanged && static_cast<std::int64_t>(norm->factors.size()) == a.dim(1) &&
        plain_difference(a, b, norm->factors).relative_error <= kFolded) {
      norm->folded.push_back(module);
      report(row, Verdict::harmless, row.name, "took up the scale of " + norm_before(module));
      return;
    }
    if (norm != nullptr) norm->untouched.push_back(module);
    if (unchanged) return;
    if (a.dim(0) == a.dim(1) && sampled_residual(a, b, true) < 1e-6) {
      report(row, Verdict::wrong, row.name, "is transposed", "copy it from the original");
      return;
    }
    report_changed(row, b);
  }

  // --- int8 linears ---

  void int8_linear(TensorComparison& row) {
    const std::string module(split_tensor_name(row.name).first);
    StoredLinear stored;
    const TensorInfo& info = quantized_.headers().info(row.name);
    try {
      stored = quantized_.open(info.end - info.begin).linear(module);
    } catch (const Error& error) {
      report(row, Verdict::wrong, module, error.what(), "restore the module from the quantizer's output");
      return;
    }
    const Tensor w = original_.tensor(origin(row.name));
    const std::span<const float> scales = stored.weight_scale.values<float>();
    row.values_read = true;
    row.has_fit = true;
    ChangedNorm* norm = norm_of(module);
    if (norm != nullptr && static_cast<std::int64_t>(norm->factors.size()) == w.dim(1)) {
      const DetailedFit folded = fit_linear(w, stored.weight, scales, norm->factors);
      const DetailedFit plain = fit_linear(w, stored.weight, scales, {});
      const bool took_it_up = folded.good() && folded.fit.relative_error < plain.fit.relative_error;
      (took_it_up ? norm->folded : norm->untouched).push_back(module);
      row.fit = took_it_up ? folded.fit : plain.fit;
      if (!took_it_up && !plain.good()) diagnose(row, module, w, stored, plain);
      return;
    }
    const DetailedFit fit = fit_linear(w, stored.weight, scales, {});
    row.fit = fit.fit;
    if (!fit.good()) diagnose(row, module, w, stored, fit);
  }

  /// What the weight is instead. In this order: an int8 weight that fits but for its scales is that weight.
  void diagnose(TensorComparison& row, const std::string& module, const Tensor& w, const StoredLinear& stored,
                const DetailedFit& fit) {
    const std::string error = percent_text(fit.fit.relative_error);
    if (fit.row_free_error <= kResembles) {
      const std::string owner = owner_of_scales(module, stored);
      report(row, Verdict::wrong, module,
             "weight_scale does not fit the int8 weight: off by " + percent_text(fit.fit.scale_error_mean) +
                 " on average, by " + percent_text(fit.fit.scale_error_max) + " in row " +
                 std::to_string(fit.fit.scale_error_row) + (owner.empty() ? "" : "; these are the scales of " + owner),
             "restore " + module + ".weight_scale from the quantizer's output");
      return;
    }
    if (w.dim(0) == w.dim(1) && sampled_residual(w, stored.weight, true) <= kResembles) {
      report(row, Verdict::wrong, module, "the int8 weight is the original's, transposed",
             "store it as [out_features, in_features]");
      return;
    }
    if (const std::string other = find_match(row.name, stored.weight); !other.empty()) {
      report(row, Verdict::wrong, module,
             "holds the values of " + other + " (relative error to its own weight " + error + ")",
             "put each module's tensors back under its own name");
      return;
    }
    const std::string norm = norm_before(module);
    if (fit.column_free_error <= kResembles) {
      report(row, Verdict::wrong, module,
             "its input columns are scaled against the original" +
                 (norm.empty() ? std::string()
                               : ", but " + norm + " does not make up for it: a norm folded on one side only"),
             "fold on both sides, or quantize the original weight");
      return;
    }
    report(row, Verdict::wrong, module,
           "does not resemble its original (relative error " + error + ") nor any other of that shape",
           "quantize it again from this original");
  }

  /// The original's matrix of the same shape that the int8 values resemble most, scales aside.
  std::string find_match(const std::string& name, const Tensor& q) {
    std::string best;
    double least = kResembles;
    for (const TensorComparison& other : result_.tensors) {
      const std::vector<std::int64_t>& dims = other.original.dims;
      if (other.name == name || dims.size() != 2 || dims[0] != q.dim(0) || dims[1] != q.dim(1)) continue;
      if (!readable(original_.headers().info(origin(other.name)))) continue;
      steps_.check_cancelled();
      const double residual = sampled_residual(original_.tensor(origin(other.name)), q, false);
      if (residual <= least) {
        least = residual;
        best = split_tensor_name(other.name).first;
      }
    }
    return best;
  }

  /// The int8 linear of as many rows whose original weight these scales fit best.
  std::string owner_of_scales(const std::string& module, const StoredLinear& stored) {
    std::string best;
    double least = kScaleErrorMean;
    const std::span<const float> scales = stored.weight_scale.values<float>();
    for (const TensorComparison& other : result_.tensors) {
      if (!is_int8_weight(other) || other.original.dims.size() != 2 || other.original.dims[0] != stored.weight.dim(0)) {
        continue;
      }
      const std::string_view candidate = split_tensor_name(other.name).first;
      if (candidate == module || !readable(original_.headers().info(origin(other.name)))) continue;
      steps_.check_cancelled();
      const double distance = sampled_scale_distance(scales, original_.tensor(origin(other.name)));
      if (distance <= least) {
        least = distance;
        best = candidate;
      }
    }
    return best;
  }

  Mapping original_, quantized_;
  JobProgress& steps_;
  CompareResult& result_;
  std::vector<std::size_t> changed_norms_;  // rows
  std::map<std::string, ChangedNorm, std::less<>> norms_;
};

}  // namespace

std::string percent_text(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), share < 0.1 ? "%.2f %%" : "%.0f %%", share * 100);
  return text.data();
}

void compare_values(JobProgress& steps, CompareResult& result) { ValuesPart(steps, result).run(); }

}  // namespace octavo::detail
