/// Weight quantization of one layer: Hessians, GPTQ and round-to-nearest, and the recipe that says what gets which.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/contract.hpp"
#include "octavo/json.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// H = 2/n sum X^T X over the rows seen (float32 accumulator, one triangle).
class HessianAccumulator {
 public:
  HessianAccumulator(std::int64_t in_features, std::string name);
  void add(const Tensor& x);            // x[T,K] f32
  std::int64_t rows() const noexcept;
  std::int64_t in_features() const noexcept;
  /// Full symmetric H[K,K] f32; frees the accumulator's memory (call once).
  Tensor take();
 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

enum class QuantMethod : std::uint8_t { rtn, gptq };
enum class ScaleObserver : std::uint8_t { minmax, mse };

struct GptqOptions {
  QuantMethod method = QuantMethod::gptq;
  ScaleObserver observer = ScaleObserver::minmax;
  double damp_percent = 0.01;
  std::int64_t block_size = 128;
  bool act_order = true;
  DType scale_dtype = DType::bf16;  ///< scales are rounded to it before quantizing, so that what is optimised is what is run
};

struct QuantizedLayer {
  Tensor weight;  // s8 [N,K]
  Tensor scales;  // f32 [N], exactly representable in scale_dtype
  double loss = 0;      ///< tr((W-Q) H (W-Q)^T)
  double rtn_loss = 0;  ///< the same for round-to-nearest
  double damp_used = 0; ///< after retries
  std::int64_t dead_columns = 0;
  bool fell_back_to_rtn = false;  ///< only when no damping up to 1.0 made H positive definite
};

/// Hessian prepared once (damping, order, factor) and shared by the linears that see the same input.
class PreparedHessian {
 public:
  PreparedHessian(Tensor hessian, const GptqOptions& options, std::string name);  ///< consumes H[K,K]
  struct Impl;
  const Impl& impl() const noexcept { return *impl_; }
 private:
  std::shared_ptr<const Impl> impl_;
};

QuantizedLayer quantize_layer(const Tensor& weight, const PreparedHessian& hessian, const GptqOptions& options, std::string_view name);
QuantizedLayer quantize_layer_rtn(const Tensor& weight, const GptqOptions& options, std::string_view name);

/// An ordered list of rules; the first whose `match` (regex over the whole module path) fits decides.
enum class Scheme : std::uint8_t { skip, w8a8 };
struct Rule {
  std::string match;
  Scheme scheme = Scheme::skip;
  GptqOptions options;
};
class Recipe {
 public:
  /// Language-model linears by GPTQ; vision tower, merger and lm_head left alone.
  static Recipe preset(std::string_view name);  ///< "default", "rtn", "vision" (tower blocks, too)
  static std::vector<std::string> preset_names();
  static Recipe parse(const Json& json);
  static Recipe open(const std::string& preset_or_path);
  const Rule& rule_for(std::string_view module_path) const;  ///< a skip rule when none matches
  JsonBuilder to_json() const;
  std::vector<Rule> rules;
};

}  // namespace octavo
