#include <algorithm>
#include <cmath>
#include <optional>

#include "linear_impl.hpp"

namespace octavo {

namespace {

using gemm::kMaxInFeatures;

Stored stored(const Tensor& tensor) { return {tensor.dtype(), tensor.shape()}; }
std::optional<Stored> stored_if(const Tensor& tensor) {
  return tensor.defined() ? std::optional<Stored>(stored(tensor)) : std::nullopt;
}

std::vector<float> as_floats(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const Tensor wide = tensor.to(DType::f32).contiguous();
  return {wide.data<float>(), wide.data<float>() + wide.numel()};
}

// Published checkpoints store the scale as [N,1].
Tensor per_channel(const Tensor& weight_scale) {
  return weight_scale.defined() && weight_scale.rank() == 2 && weight_scale.dim(1) == 1
             ? weight_scale.contiguous().reshape({weight_scale.dim(0)})
             : weight_scale;
}

void check_int8(const Contract& contract, const std::string& module_path, const Tensor& weight, const Tensor& scale,
                const Tensor& bias) {
  Binder(contract, module_path)
      .arg("x", DType::f32, {0, weight.defined() && weight.rank() == 2 ? weight.dim(1) : 0})
      .arg("w", weight)
      .arg("w_scale", scale)
      .arg_if("bias", bias)
      .check();
}

std::vector<float> finite_scales(const char* op, const std::string& module_path, const Tensor& scale) {
  std::vector<float> values = as_floats(scale);
  for (std::size_t j = 0; j < values.size(); ++j)
    if (!std::isfinite(values[j]))
      throw Error(ErrorCode::invalid_argument, std::string(op) + " (" + module_path + "): w_scale[" +
                                                   std::to_string(j) + "] is " + std::to_string(values[j]) +
                                                   ", a scale must be finite");
  return values;
}

// Panels of a weight that lies in a file; any other is its owner's, and would be in memory twice. Few rows of int8
// weights are multiplied as they are stored (fixed_point.hpp), so those are not packed.
std::unique_ptr<gemm::LazyPanels> panels_of(const Tensor& weight) {
  if (weight.dtype() != DType::bf16 || !weight.is_mapped() || weight.numel() == 0) return nullptr;
  return std::make_unique<gemm::LazyPanels>(weight);
}

}  // namespace

Linear Linear::floating(std::string module_path, const Tensor& weight, const Tensor& bias, FloatMath math) {
  Binder(kLinearContract, module_path)
      .arg("x", DType::f32, {0, weight.defined() && weight.rank() == 2 ? weight.dim(1) : 0})
      .arg("w", weight)
      .arg_if("bias", bias)
      .check();
  auto impl = std::make_shared<Impl>();
  impl->module_path = std::move(module_path);
  impl->out_features = weight.dim(0);
  impl->in_features = weight.dim(1);
  impl->weight = weight.contiguous();
  impl->panels = panels_of(impl->weight);
  impl->bias = as_floats(bias);
  impl->math = math;
  impl->stored_weight = stored(weight);
  impl->stored_bias = stored_if(bias);
  Linear linear;
  linear.impl_ = std::move(impl);
  return linear;
}

Linear Linear::w8a8(std::string module_path, const Tensor& weight, const Tensor& weight_scale, const Tensor& bias,
                    TokenScale mode) {
  const Tensor scale = per_channel(weight_scale);
  check_int8(kLinearW8A8Contract, module_path, weight, scale, bias);
  if (weight.dim(1) > kMaxInFeatures)
    throw Error(ErrorCode::unsupported, "linear_w8a8 (" + module_path + "): in_features is " +
                                            std::to_string(weight.dim(1)) + ", at most " +
                                            std::to_string(kMaxInFeatures) + " cannot overflow int32");
  auto impl = std::make_shared<Impl>();
  impl->kind = LinearKind::w8a8;
  impl->out_features = weight.dim(0);
  impl->in_features = weight.dim(1);
  impl->weight_scale = finite_scales("linear_w8a8", module_path, scale);
  impl->bias = as_floats(bias);
  impl->mode = mode;
  impl->stored_weight = stored(weight);
  impl->stored_scale = stored(scale);
  impl->stored_bias = stored_if(bias);
  if (weight.numel() != 0)
    impl->lazy = std::make_unique<gemm::LazyPacked>(gemm::choose_backend(""), weight.contiguous());
  impl->module_path = std::move(module_path);
  Linear linear;
  linear.impl_ = std::move(impl);
  return linear;
}

Linear Linear::w8a16(std::string module_path, const Tensor& weight, const Tensor& weight_scale, const Tensor& bias,
                     FloatMath math) {
  const Tensor scale = per_channel(weight_scale);
  check_int8(kLinearW8A16Contract, module_path, weight, scale, bias);
  auto impl = std::make_shared<Impl>();
  impl->kind = LinearKind::w8a16;
  impl->math = math;
  impl->out_features = weight.dim(0);
  impl->in_features = weight.dim(1);
  impl->weight = weight.contiguous();
  impl->weight_scale = finite_scales("linear_w8a16", module_path, scale);
  impl->bias = as_floats(bias);
  impl->stored_weight = stored(weight);
  impl->stored_scale = stored(scale);
  impl->stored_bias = stored_if(bias);
  impl->module_path = std::move(module_path);
  Linear linear;
  linear.impl_ = std::move(impl);
  return linear;
}

Linear Linear::meta(std::string module_path, LinearKind kind, const Tensor& weight, const Tensor& weight_scale,
                    const Tensor& bias, const Shape& promised) {
  auto impl = std::make_shared<Impl>();
  impl->module_path = std::move(module_path);
  impl->kind = kind;
  impl->out_features = promised[0];
  impl->in_features = promised[1];
  impl->stored_weight = stored(weight);
  impl->stored_scale = stored_if(per_channel(weight_scale));
  impl->stored_bias = stored_if(bias);
  impl->has_data = false;
  Linear linear;
  linear.impl_ = std::move(impl);
  return linear;
}

bool Linear::defined() const noexcept { return impl_ != nullptr; }
LinearKind Linear::kind() const noexcept { return impl_ ? impl_->kind : LinearKind::floating; }
std::int64_t Linear::in_features() const noexcept { return impl_ ? impl_->in_features : 0; }
std::int64_t Linear::out_features() const noexcept { return impl_ ? impl_->out_features : 0; }

const std::string& Linear::module_path() const noexcept {
  static const std::string none;
  return impl_ ? impl_->module_path : none;
}

std::size_t Linear::weight_bytes() const noexcept {
  if (!impl_) return 0;
  if (!impl_->has_data) {
    const auto values = [](const std::optional<Stored>& tensor) { return tensor ? tensor->shape.numel() : 0; };
    return static_cast<std::size_t>(impl_->stored_weight.shape.numel()) * size_of(impl_->stored_weight.dtype) +
           static_cast<std::size_t>(values(impl_->stored_scale) + values(impl_->stored_bias)) * sizeof(float);
  }
  const std::size_t weight = impl_->lazy               ? impl_->lazy->size_bytes()
                             : impl_->panels           ? impl_->panels->size_bytes()
                             : impl_->weight.defined() ? impl_->weight.size_bytes()
                                                       : 0;
  return weight + (impl_->weight_scale.size() + impl_->bias.size()) * sizeof(float);
}

Tensor gemm_s8(const Tensor& a, const Tensor& w, std::string_view backend) {
  Binder binder(kGemmS8Contract);
  binder.arg("a", a).arg("w", w).check();
  if (a.dim(1) > kMaxInFeatures)
    throw Error(ErrorCode::unsupported, "gemm_s8: in_features is " + std::to_string(a.dim(1)) + ", at most " +
                                            std::to_string(kMaxInFeatures) + " cannot overflow int32");
  const gemm::Backend& chosen = gemm::choose_backend(backend);
  const std::int64_t m = a.dim(0);
  const std::int64_t n = w.dim(0);
  if (!binder.has_data()) {
    const Tensor nothing = binder.output("acc", DType::s32, {m, n});
    binder.done({{"acc", nothing}});
    return nothing;
  }
  if (m == 0 || n == 0 || a.dim(1) == 0) return Tensor::zeros(DType::s32, {m, n});
  Tensor acc = Tensor::zeros(DType::s32, {m, n});
  Tensor part = Tensor::empty(DType::s32, {m, n});
  std::int32_t* sums = acc.mutable_data<std::int32_t>();
  for (std::int64_t begin = 0; begin < a.dim(1); begin += chosen.exact_k) {
    const std::int64_t end = std::min(a.dim(1), begin + chosen.exact_k);
    const Tensor left = a.slice(1, begin, end).contiguous();
    const Tensor right = w.slice(1, begin, end).contiguous();
    std::int32_t* terms = part.mutable_data<std::int32_t>();
    chosen.pack(right.data<std::int8_t>(), n, end - begin)->multiply(left.data<std::int8_t>(), m, terms);
    for (std::int64_t i = 0; i < m * n; ++i) sums[i] += terms[i];
  }
  binder.done({{"acc", acc}});
  return acc;
}

}  // namespace octavo
