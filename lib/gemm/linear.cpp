#include <algorithm>
#include <cmath>
#include <optional>

#include "backend.hpp"
#include "dot.hpp"
#include "kernels/float_product.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "quantize.hpp"

namespace octavo {

namespace {

// A weight as it is stored, which is what forward binds and tells.
struct Stored {
  DType dtype = DType::f32;
  Shape shape;
};

Stored stored(const Tensor& tensor) { return {tensor.dtype(), tensor.shape()}; }
std::optional<Stored> stored_if(const Tensor& tensor) {
  return tensor.defined() ? std::optional<Stored>(stored(tensor)) : std::nullopt;
}

}  // namespace

struct Linear::Impl {
  std::string module_path;
  LinearKind kind = LinearKind::floating;
  std::int64_t in_features = 0, out_features = 0;
  Tensor weight;                             // as stored; undefined where it is packed
  std::unique_ptr<gemm::PackedS8> packed;    // w8a8
  std::vector<float> weight_scale, bias;     // bias empty when there is none
  TokenScale mode = TokenScale::absmax_127;  // w8a8
  FloatMath math = FloatMath::f32;           // of the other two
  Stored stored_weight;
  std::optional<Stored> stored_scale, stored_bias;
  bool has_data = true;
  std::uint64_t workspace_bytes(std::int64_t rows) const {
    if (kind != LinearKind::w8a8) return 0;
    const auto m = static_cast<std::uint64_t>(rows);
    const auto k = static_cast<std::uint64_t>(in_features);
    const auto n = static_cast<std::uint64_t>(out_features);
    return m * k + m * sizeof(float) + m * n * sizeof(std::int32_t);  // int8 rows, their scales, int32 sums
  }
};

namespace {

using gemm::kMaxInFeatures;
constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // weights of a part, some 20 us
constexpr std::int64_t kPanelValues = 1 << 20;  // float32 values of a widened panel: 4 MiB, stays in cache

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

const Contract& contract_of(LinearKind kind) {
  return kind == LinearKind::w8a8    ? kLinearW8A8Contract
         : kind == LinearKind::w8a16 ? kLinearW8A16Contract
                                     : kLinearContract;
}

bool fits(const Tensor& x, std::int64_t in_features) {
  return x.defined() && !x.is_meta() && x.dtype() == DType::f32 && x.rank() == 2 && x.dim(1) == in_features;
}

// y = x W^T over the weight as stored, on any processor.
void float_forward(const Tensor& weight, const float* x, std::int64_t m, float* y) {
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  const auto* bytes = static_cast<const std::byte*>(weight.raw());
  const auto row = [&](std::int64_t j) { return bytes + static_cast<std::size_t>(j * k) * size_of(weight.dtype()); };
  if (m <= gemm::kFewRows) {
    parallel_for(n, std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, k)),
                 [&](std::int64_t begin, std::int64_t end) {
                   gemm::few_rows(x, m, row(begin), weight.dtype(), end - begin, k, y + begin, n);
                 });
    return;
  }
  if (weight.dtype() == DType::f32) {
    sgemm(m, n, k, x, k, weight.data<float>(), k, y, n, {.transpose_b = true});
    return;
  }
  // Narrower weights are widened a panel of rows at a time, never as a whole.
  const std::int64_t rows = std::min(n, std::max<std::int64_t>(16, kPanelValues / std::max<std::int64_t>(1, k)));
  std::vector<float> panel(static_cast<std::size_t>(rows * k));
  for (std::int64_t begin = 0; begin < n; begin += rows) {
    const std::int64_t count = std::min(rows, n - begin);
    parallel_for(count, 16, [&](std::int64_t first, std::int64_t last) {
      gemm::widen(row(begin + first), weight.dtype(), (last - first) * k, panel.data() + first * k);
    });
    sgemm(m, count, k, x, k, panel.data(), k, y + begin, n, {.transpose_b = true});
  }
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
    impl->packed = gemm::choose_backend("").pack(weight.contiguous().data<std::int8_t>(), weight.dim(0), weight.dim(1));
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
  const std::size_t weight = impl_->packed             ? impl_->packed->size_bytes()
                             : impl_->weight.defined() ? impl_->weight.size_bytes()
                                                       : 0;
  return weight + (impl_->weight_scale.size() + impl_->bias.size()) * sizeof(float);
}

Tensor Linear::forward(const Tensor& x) const {
  gemm::SharedRows own;
  return forward(x, own);
}

void Linear::forward_each(std::span<const Linear* const> layers, const Tensor& x, std::span<Tensor> results) {
  const Tensor rows = x.contiguous();
  gemm::SharedRows shared;
  for (std::size_t i = 0; i < layers.size(); ++i) results[i] = layers[i]->forward(rows, shared);
}

Tensor Linear::forward(const Tensor& x, gemm::SharedRows& shared) const {
  if (!impl_) throw Error(ErrorCode::invalid_argument, "linear: forward on an undefined layer");
  const Impl& impl = *impl_;
  // Weights with data fit their contract since the layer was made, so that only x can break it. Where x fits and nobody
  // listens, the words are not made: for one token of a small model they cost as much as the product.
  std::optional<Binder> binder;
  std::string k_origin;
  if (current_observer() != nullptr || !impl.has_data || !fits(x, impl.in_features)) {
    binder.emplace(contract_of(impl.kind), impl.module_path);
    const Stored& w = impl.stored_weight;
    if (w.shape.rank() == 2) {
      k_origin = "the layer's weight " + w.shape.to_string() + " dim 1";
      binder->dim("K", w.shape[1], k_origin);
    }
    binder->arg("x", x).weight("w", w.dtype, w.shape, impl.has_data);
    if (impl.stored_scale) binder->weight("w_scale", impl.stored_scale->dtype, impl.stored_scale->shape);
    if (impl.stored_bias) binder->weight("bias", impl.stored_bias->dtype, impl.stored_bias->shape);
    binder->check();
  }
  const std::int64_t m = x.dim(0);
  const std::int64_t n = impl.out_features;
  Tensor y = binder ? binder->output("y", DType::f32, {m, n}) : Tensor::empty(DType::f32, {m, n});
  if (!y.is_meta() && m > 0 && n > 0) multiply(impl, x.contiguous(), shared, y);
  if (binder) binder->workspace(impl.workspace_bytes(m)).done({{"y", y}});
  return y;
}

void Linear::multiply(const Impl& impl, const Tensor& rows, gemm::SharedRows& shared, Tensor& y) {
  const std::int64_t m = rows.dim(0);
  const std::int64_t n = impl.out_features;
  float* out = y.mutable_data<float>();
  const float* bias = impl.bias.empty() ? nullptr : impl.bias.data();
  const std::int64_t grain = std::max<std::int64_t>(1, 32768 / n);
  if (impl.weight.defined()) {
    const float* scale = impl.weight_scale.empty() ? nullptr : impl.weight_scale.data();
    if (gemm::float_product({.x = rows.data<float>(),
                             .m = m,
                             .n = n,
                             .k = impl.in_features,
                             .weight = impl.weight.raw(),
                             .dtype = impl.weight.dtype(),
                             .scale = scale,
                             .bias = bias,
                             .y = out},
                            gemm::chosen_float_engine(), impl.math))
      return;
    float_forward(impl.weight, rows.data<float>(), m, out);
    if (scale != nullptr)
      parallel_for(m, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          for (std::int64_t j = 0; j < n; ++j) out[i * n + j] *= scale[j];
      });
    if (bias != nullptr)
      parallel_for(m, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
          for (std::int64_t j = 0; j < n; ++j) out[i * n + j] += bias[j];
      });
    return;
  }
  const gemm::SharedRows::Rows quantized = shared.of(rows, impl.mode);
  const gemm::Scales scales{quantized.scales, impl.weight_scale.data(), bias};
  if (impl.packed) return impl.packed->linear(quantized.values, m, scales, out);
  const std::vector<std::int32_t> no_terms(static_cast<std::size_t>(n));
  gemm::scale_sums(no_terms.data(), 0, m, n, scales, out, n);
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
