// The linears of a block: named, replaceable, observed. Every architecture's blocks are built on it, so that the
// runtime model and the quantization view run the same code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/model.hpp"
#include "weight_source.hpp"

namespace octavo::model {

/// Loads `path`.weight (+ `path`.weight_scale, + `path`.bias) as they are stored.
struct LoadedLinear {
  LinearInfo info;
  Tensor weight;  // [N,K] as stored
  Tensor scale;   // [N,1] or [N] as stored, or undefined
  Tensor bias;    // [N] as stored, or undefined
  Linear linear;
};
/// `math`: how it multiplies where it stays in float.
LoadedLinear load_linear(const WeightSource& source, const std::string& path, const std::string& input_group,
                         FloatMath math);

/// A norm with its weight widened to f32.
struct RmsNorm {
  std::string module_path;
  Tensor weight;  // [K]
  DType stored = DType::f32;
  double eps = 0;
  Tensor operator()(const Tensor& x) const;  ///< x[M,K]
  std::string stored_as() const { return dtype_name(stored) + weight.shape().to_string() + " "; }
};
/// Loads `path`.weight.
RmsNorm load_norm(const WeightSource& source, const std::string& path, double eps);

class LinearBlock : public ModelBlock {
 public:
  const std::string& module_path() const noexcept override { return path_; }
  std::vector<LinearInfo> linears() const override;
  Tensor weight(std::string_view module_path) const override { return find(module_path).weight; }
  Tensor bias(std::string_view module_path) const override { return find(module_path).bias; }
  void replace(std::string_view module_path, const Linear& linear) override;
  const Linear& linear(std::string_view module_path) const override { return find(module_path).linear; }
  bool holds(std::string_view module_path) const noexcept;
  std::size_t weight_bytes() const noexcept;  ///< of the linears
  std::string stored_as() const;              ///< types and shapes of the linears' tensors, spelled out

 protected:
  /// `math`: of its linears that stay in float, and of its attention.
  LinearBlock(std::string path, FloatMath math) : path_(std::move(path)), math_(math) {}
  FloatMath math() const noexcept { return math_; }
  /// `name` and `group` are relative to the block; returns the slot for `apply`.
  std::size_t add(const WeightSource& source, const std::string& name, const std::string& group);
  Tensor apply(std::size_t slot, const Tensor& x) const { return slots_[slot].linear.forward(x); }
  const Linear& at(std::size_t slot) const { return slots_[slot].linear; }
  // As one pass each where nobody observes; else operation by operation, so that each is heard of.
  /// hidden += slot(x): the residual stream.
  void apply_add(std::size_t slot, Tensor x, Tensor& hidden) const;
  /// silu(gate(x)) * up(x)
  Tensor apply_gated(std::size_t gate, std::size_t up, const Tensor& x, std::string_view module_path) const;
  const std::string& path_of(std::size_t slot) const { return slots_[slot].info.module_path; }
  /// Tells the observer, if any, of the input that `slot` and the others of its group are about to see.
  void observe(LinearObserver* observer, std::size_t slot, const Tensor& x) const {
    if (observer != nullptr) observer->on_input(slots_[slot].info, x);
  }

 private:
  std::size_t index_of(std::string_view module_path) const;  ///< throws not_found listing what there is
  const LoadedLinear& find(std::string_view module_path) const { return slots_[index_of(module_path)]; }

  std::string path_;
  FloatMath math_;
  std::vector<LoadedLinear> slots_;
};

}  // namespace octavo::model
