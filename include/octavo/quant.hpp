/// @file
/// Weight quantization of one layer: Hessians, GPTQ and round-to-nearest, and the recipe that says what gets which.
///
///     HessianAccumulator collected(k, "model.layers.0.mlp.down_proj");   // one per distinct input
///     for (const Tensor& sample : samples) collected.add(sample);        // x[T,K] f32
///     PreparedHessian hessian(collected.take(), options, name);          // damped, ordered, factored: once
///     QuantizedLayer layer = quantize_layer(weight, hessian, options, name);
///
/// Weights become int8, symmetric, one scale per output channel: w ~ q * scale, -128 <= q <= 127. All large products
/// go through octavo::sgemm, so a result does not depend on the number of threads.
/// Sources: Frantar et al. 2022 (arXiv:2210.17323); Frantar and Alistarh 2022 (arXiv:2208.11580) for the update.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/contract.hpp"
#include "octavo/float_math.hpp"
#include "octavo/json.hpp"
#include "octavo/pattern.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// Gathers H = 2/n sum X^T X over n samples, one `add` each; float32, one triangle. The factor 2/n has no influence on
/// quantization, since damping is relative to H's diagonal. Rows wait until there are 2048, however many samples they
/// come from, and are multiplied together. Holds 4*K*K bytes and 8192*K for what waits. Not thread-safe; a copy is
/// another handle on the same sums.
class HessianAccumulator {
 public:
  /// `name` is how errors name the input, e.g. a module path. `math`: see ssyrk. With bf16, H is that of inputs rounded
  /// to bf16, which is what a model that runs in bf16 would see; docs/quantization.md has the effect.
  /// @throws Error  invalid_argument unless 1 <= in_features <= 131071 (beyond, int32 sums of int8 overflow).
  HessianAccumulator(std::int64_t in_features, std::string name, FloatMath math = FloatMath::f32);
  /// x[T,K] f32; T may be 0. Pads must not be among the rows.
  /// @throws Error  shape_mismatch, dtype_mismatch; invalid_argument naming the row and column of a NaN or infinity.
  ///                Unchanged on failure.
  void add(const Tensor& x);
  /// Rows (tokens) seen. Fewer than 2*K leave H poorly determined.
  std::int64_t rows() const noexcept;
  std::int64_t in_features() const noexcept;
  /// Full symmetric H[K,K] f32, owned; frees the accumulator's memory.
  /// @throws Error  invalid_argument when no row was added or it was taken before.
  Tensor take();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

enum class QuantMethod : std::uint8_t { rtn, gptq };
/// minmax: scale = max|w| / 127.5, as compressed-tensors. mse: of the scales p * max|w| / 127.5, p = 1.00, 0.99 ...
/// 0.81, the one with the least sum |w - q*scale|^2.4 (llm-compressor's grid; each channel searches all of it).
enum class ScaleObserver : std::uint8_t { minmax, mse };

/// "rtn", "gptq"; "minmax", "mse": the words of a recipe.
const char* quant_method_name(QuantMethod method) noexcept;
const char* scale_observer_name(ScaleObserver observer) noexcept;

struct GptqOptions {
  QuantMethod method = QuantMethod::gptq;
  ScaleObserver observer = ScaleObserver::minmax;
  double damp_percent = 0.01;     ///< added to H's diagonal, as a share of its mean over live columns; 0 to 1
  std::int64_t block_size = 128;  ///< columns swept between two matrix products; 1 to 4096; no effect but rounding
  bool act_order = true;          ///< sweep columns by falling diag(H); undone in the result
  /// f32, bf16, f16: scales are rounded to it before quantizing, so that what is optimised is what is run. Absent: the
  /// weight's own type in quantize_layer, the model's in a recipe, as compressed-tensors does.
  std::optional<DType> scale_dtype;
  /// Output channels from which quantize_layer tells the losses, which cost 2*K*K operations per channel and decide
  /// nothing. 0: all, the exact sums. No key of a recipe.
  std::int64_t loss_channels = 0;
};

struct QuantizedLayer {
  Tensor weight;  ///< s8 [N,K]
  Tensor scales;  ///< f32 [N] > 0, each exactly representable in the scales' type
  /// tr((W-Q) H (W-Q)^T) with the H handed in, undamped; H = I where there is none. Where GptqOptions::loss_channels
  /// is less than N: the sum over so many channels, evenly spaced, times sum scale^2 of all by that of these.
  double loss = 0;
  double rtn_loss = 0;            ///< the same for round-to-nearest with the same scales, from the same channels
  double damp_used = 0;           ///< share of the mean diagonal that was added in the end; 0 by round-to-nearest
  std::int64_t dead_columns = 0;  ///< inputs that were always 0: diag(H) == 0; GPTQ sets their weights to 0
  bool fell_back_to_rtn = false;  ///< no damping up to 1.0 made H positive definite, or every column is dead
};

/// Hessian prepared once (order, damping, factor) and shared by the linears that see the same input. Immutable: may be
/// used from many threads. Holds H and its factor, 8*K*K bytes; for QuantMethod::rtn only H, for the losses.
class PreparedHessian {
 public:
  /// H[K,K] f32, symmetric; kept, not copied, and must not change afterwards.
  /// Where H is not positive definite after damping, damping grows tenfold up to 1.0 (see QuantizedLayer::damp_used).
  /// @throws Error  shape_mismatch, dtype_mismatch; invalid_argument for NaN, infinity, a negative diagonal, asymmetry.
  PreparedHessian(Tensor hessian, const GptqOptions& options, std::string name);
  struct Impl;
  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Quantizes one linear so that ||X W^T - X Q^T|| is small on the inputs behind H.
///
///     quantize_layer: w[N,K]:f32|bf16|f16 h[K,K] -> q[N,K]:s8 scale[N]
///
/// By round-to-nearest when `options.method` says so. damp_percent and act_order must be those `hessian` was prepared
/// with. Uses two float32 copies of W while it runs, a third where W is not float32, and two of the channels that
/// the losses are told from.
/// @throws Error  shape_mismatch, dtype_mismatch; invalid_argument for options out of range or unlike the Hessian's,
/// and
///                for NaN or infinity in W, naming the layer, row and column.
QuantizedLayer quantize_layer(const Tensor& weight, const PreparedHessian& hessian, const GptqOptions& options,
                              std::string_view name);
/// Round-to-nearest, q = clamp(round_half_even(w / scale), -128, 127). Losses are those of H = I: sum (w - q*scale)^2.
QuantizedLayer quantize_layer_rtn(const Tensor& weight, const GptqOptions& options, std::string_view name);

/// w8a8: int8 weights, activations in int8 per token. w8a16: the same weights under float activations, for modules
/// whose inputs int8 cannot carry.
enum class Scheme : std::uint8_t { skip, w8a8, w8a16 };
const char* scheme_name(Scheme scheme) noexcept;  ///< "skip", "w8a8", "w8a16"

/// What the modules whose path fits `match` from its start on (Python's re.match) are given.
struct Rule {
  Pattern match;
  Scheme scheme = Scheme::skip;
  GptqOptions options;
};

/// An ordered list of rules; the first that fits decides. As JSON, every key but `match` and `scheme` optional; "w8a16"
/// takes the keys of "w8a8":
///
///     {"rules": [{"match": "lm_head", "scheme": "skip"},
///                {"match": "model\\.layers\\..*", "scheme": "w8a8", "method": "gptq", "observer": "minmax",
///                 "damp_percent": 0.01, "block_size": 128, "act_order": true}]}
///
/// A "scale_dtype" (f32, bf16, f16) may be stated, too, and must be the model's own: programs that load the result
/// multiply weights and activations in one type.
///
/// Module paths are Octavo's: "model.layers.3.self_attn.q_proj", "visual.blocks.0.attn.qkv", "lm_head".
class Recipe {
 public:
  /// "default": the language model's attention and MLP linears by GPTQ; vision tower, merger and lm_head left alone.
  /// "rtn": the same linears by round-to-nearest. "vision": "default" and the vision blocks' linears by GPTQ. "w8a16":
  /// the linears of "default" by GPTQ with float activations, close to lossless.
  /// @throws Error  not_found, with the names there are.
  static Recipe preset(std::string_view name);
  static std::vector<std::string> preset_names();
  /// @throws Error  format, naming the rule's index and the key at fault: unknown keys, bad values, bad expressions.
  static Recipe parse(const Json& json);
  /// A preset by name; a recipe as text, which begins with "{"; else a file.
  static Recipe open(const std::string& preset_text_or_path);
  static bool is_text(std::string_view preset_text_or_path) noexcept;  ///< begins with "{"
  /// A skip rule when none fits; throws format for an expression too complex to decide. The reference lives as long as
  /// the recipe's rules are unchanged.
  const Rule& rule_for(std::string_view module_path) const;
  /// Refuses a recipe that treats q, k, v or gate, up of one block differently: runtimes fuse them into one product.
  /// @throws Error  unsupported, naming both modules, both rules and the key in which they differ.
  void check_fused(std::span<const std::string> module_paths) const;
  JsonBuilder to_json() const;
  std::vector<Rule> rules;
};

}  // namespace octavo
