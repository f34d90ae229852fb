/// @file
/// What an architecture's blocks are made of: weights asked for by name and shape, norms, and linears that can be
/// replaced and observed. architecture.hpp says how blocks become a model.
///
///     class Layer final : public LanguageLayer {
///       Layer(WeightSource& weights, std::int64_t index, FloatMath math)
///           : LanguageLayer(index, math),
///             norm_(add_norm(weights, "norm", {kWidth, "hidden_size"}, 1e-6)),
///             up_(add(weights, "mlp.up_proj", "mlp.up_input", {kInner, "intermediate_size"}, {kWidth, "hidden_size"}))
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/float_math.hpp"
#include "octavo/gemm.hpp"
#include "octavo/structure.hpp"

namespace octavo {

/// A dimension of a weight, and the field of config.json behind it, as problems name it.
struct Extent {
  std::int64_t size = 0;
  std::string field;                                                           ///< "hidden_size"
  std::string reason() const { return field + " = " + std::to_string(size); }  ///< "hidden_size = 2048"
};

/// Where weights come from. What is asked for is all that is said of a model's tensors: the same blocks are made over a
/// checkpoint's data; over its headers alone, for a plan; and over nothing, to list what config.json promises. So what
/// a constructor asks for must depend on config.json alone, and on no value of a tensor. One thread at a time.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// A float tensor (F32, BF16 or F16) of this shape, as it is stored. `name` is in the published layout,
  /// "model.layers.0.input_layernorm.weight"; `because` is what problems say of the shape.
  virtual Tensor tensor(const std::string& name, const Shape& shape, const std::string& because) = 0;
  /// `path`.weight [out, in], float or int8 as quantization_config says, `path`.weight_scale [out, 1] where it is int8,
  /// and with `bias` `path`.bias [out].
  virtual StoredLinear linear(const std::string& path, const Extent& out, const Extent& in, bool bias) = 0;
  /// A float tensor [extent].
  Tensor vector(const std::string& name, const Extent& extent) {
    return tensor(name, Shape{extent.size}, extent.reason());
  }
};

/// An RMSNorm, its weight widened to f32.
struct RmsNorm {
  std::string module_path;
  Tensor weight;  // [K]
  DType stored = DType::f32;
  double eps = 0;
  Tensor operator()(const Tensor& x) const;  ///< x[M,K] -> [M,K], as rms_norm
};
/// Asks for `path`.weight.
RmsNorm load_norm(WeightSource& weights, const std::string& path, const Extent& width, double eps);

/// A linear, its tensors as they are stored, and the Linear over them.
struct LoadedLinear {
  LinearInfo info;
  StoredLinear stored;
  Linear linear;
};
/// Asks for a linear. `math`: how it multiplies where it stays in float.
LoadedLinear load_linear(WeightSource& weights, const std::string& path, const std::string& input_group,
                         const Extent& out, const Extent& in, bool bias, FloatMath math);

/// What a block is told of the call that it runs in.
struct BlockCall {
  LinearObserver* observer = nullptr;  ///< of calibration; the block's apply functions tell it
};

/// Named linears, and what runs them. Copies share the weights. Safe to run from many threads; replace by one, while
/// none runs.
class LinearBlock : public ModelBlock {
 public:
  const std::string& module_path() const noexcept override { return path_; }
  std::vector<LinearInfo> linears() const override;
  Tensor weight(std::string_view module_path) const override { return find(module_path).stored.weight; }
  Tensor bias(std::string_view module_path) const override { return find(module_path).stored.bias; }
  void replace(std::string_view module_path, const Linear& linear) override;
  const Linear& linear(std::string_view module_path) const override { return find(module_path).linear; }
  bool holds(std::string_view module_path) const noexcept;
  std::size_t weight_bytes() const noexcept;  ///< of its linears, norms and tensors

 protected:
  /// `math`: of its linears that stay in float, and of its attention.
  LinearBlock(std::string path, FloatMath math) : path_(std::move(path)), math_(math) {}
  FloatMath math() const noexcept { return math_; }

  // Names are relative to the block: "mlp.up_proj" of "model.layers.0".
  /// A linear [out, in]; returns its slot. Linears that see the same input share a `group`, and so its Hessian;
  /// the first of a group that is added is the first that runs.
  std::size_t add(WeightSource& weights, const std::string& name, const std::string& group, const Extent& out,
                  const Extent& in, bool bias = false);
  RmsNorm add_norm(WeightSource& weights, const std::string& name, const Extent& width, double eps);
  /// Any other float tensor.
  Tensor add_tensor(WeightSource& weights, const std::string& name, const Shape& shape, const std::string& because);

  /// x[M,K] -> [M,N].
  Tensor apply(std::size_t slot, const Tensor& x, const BlockCall& call) const {
    observe(slot, x, call);
    return slots_[slot].linear.forward(x);
  }
  /// Of linears that share an input, which is quantized once for those that are W8A8.
  template <std::size_t count>
  std::array<Tensor, count> apply_all(const std::size_t (&slots)[count], const Tensor& x, const BlockCall& call) const {
    const Linear* linears[count];
    for (std::size_t i = 0; i < count; ++i) {
      observe(slots[i], x, call);
      linears[i] = &slots_[slots[i]].linear;
    }
    return forward_all(linears, x);
  }
  // In one pass where nobody observes operations; else operation by operation, so that each is heard of.
  /// hidden[M,N] += slot(x): the residual stream.
  void apply_add(std::size_t slot, const Tensor& x, Tensor& hidden, const BlockCall& call) const;
  /// silu(gate(x)) * up(x) -> [M,N]. `module_path` of the product, "model.layers.0.mlp".
  Tensor apply_gated(std::size_t gate, std::size_t up, const Tensor& x, std::string_view module_path,
                     const BlockCall& call) const;
  const std::string& path_of(std::size_t slot) const { return slots_[slot].info.module_path; }

 private:
  /// Tells of the input that `slot` and the others of its group are about to see: by the first of them alone.
  void observe(std::size_t slot, const Tensor& x, const BlockCall& call) const {
    if (call.observer != nullptr && leads_[slot]) call.observer->on_input(slots_[slot].info, x);
  }
  std::size_t index_of(std::string_view module_path) const;  ///< throws not_found listing what there is
  const LoadedLinear& find(std::string_view module_path) const { return slots_[index_of(module_path)]; }

  std::string path_;
  FloatMath math_;
  std::vector<LoadedLinear> slots_;
  std::vector<bool> leads_;  // its group: whether it is the first of it
  std::size_t other_bytes_ = 0;
};

}  // namespace octavo
