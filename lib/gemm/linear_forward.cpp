// What a layer does with rows: checks them when somebody listens or they do not fit, multiplies, and ends the results.
#include <algorithm>
#include <string>
#include <vector>

#include "kernels/float_product.hpp"
#include "linear_impl.hpp"
#include "quantize.hpp"
#include "scratch.hpp"

namespace octavo {

namespace gemm {

namespace {

inline constexpr Contract kLinearAddContract{"linear_add: residual[M,N]:f32 -> sum[M,N]:f32"};

const Contract& contract_of(LinearKind kind) {
  return kind == LinearKind::w8a8    ? kLinearW8A8Contract
         : kind == LinearKind::w8a16 ? kLinearW8A16Contract
                                     : kLinearContract;
}

bool fits(const Tensor& x, std::int64_t in_features) {
  return x.defined() && !x.is_meta() && x.dtype() == DType::f32 && x.rank() == 2 && x.dim(1) == in_features;
}

}  // namespace

// One product of a layer, whatever becomes of its results.
class LinearCall {
 public:
  LinearCall(const Linear& layer, const Tensor& x) : impl_(checked(layer)), x_(x) {}

  // Whether results may end as they are made: nobody wants to hear of them as they are, and x needs no words.
  bool fuses() const { return current_observer() == nullptr && impl_.has_data && fits(x_, impl_.in_features); }

  Tensor forward(SharedRows& shared) const {
    // Weights with data fit their contract since the layer was made, so that only x can break it. Where x fits and
    // nobody listens, nothing is bound.
    if (fuses()) {
      Tensor y = Tensor::empty(DType::f32, {x_.dim(0), impl_.out_features});
      end(shared, Ending::store, y);
      return y;
    }
    Binder binder(contract_of(impl_.kind), impl_.module_path);
    const Stored& w = impl_.stored_weight;
    std::string origin;
    if (w.shape.rank() == 2) {
      origin = "the layer's weight " + w.shape.to_string() + " dim 1";
      binder.dim("K", w.shape[1], origin);
    }
    binder.arg("x", x_).weight("w", w.dtype, w.shape, impl_.has_data);
    if (impl_.stored_scale) binder.weight("w_scale", impl_.stored_scale->dtype, impl_.stored_scale->shape);
    if (impl_.stored_bias) binder.weight("bias", impl_.stored_bias->dtype, impl_.stored_bias->shape);
    binder.check();
    Tensor y = binder.output("y", DType::f32, {x_.dim(0), impl_.out_features});
    if (!y.is_meta()) end(shared, Ending::store, y);
    binder.workspace(impl_.workspace_bytes(x_.dim(0))).done({{"y", y}});
    return y;
  }

  // y[M,N] by what is in it and the results.
  void end(SharedRows& shared, Ending ending, Tensor& y) const {
    if (y.numel() == 0) return;
    const Tensor rows = x_.contiguous();
    if (impl_.weight.defined())
      end_float(rows.data<float>(), rows.dim(0), ending, y.mutable_data<float>());
    else
      end_int8(rows, shared, ending, y.mutable_data<float>());
  }

  // As end(gate) and then up's with Ending::gate, in one pass; false, and nothing done, where there is none.
  bool end_gated(const LinearCall& up, Tensor& y) const {
    if (y.numel() == 0) return false;
    float* out = y.mutable_data<float>();
    if (impl_.weight.defined() && up.impl_.weight.defined()) {
      const Tensor rows = x_.contiguous();
      const float* x = rows.data<float>();
      return impl_.math == up.impl_.math &&
             float_products(product(x, rows.dim(0), Ending::store, out), up.product(x, rows.dim(0), Ending::gate, out),
                            chosen_float_engine(), impl_.math);
    }
    const PackedS8* packed = impl_.packed();
    const PackedS8* packed_up = up.impl_.packed();
    if (packed == nullptr || packed_up == nullptr || impl_.mode != up.impl_.mode) return false;
    const RowLayout layout = packed->layout(x_.dim(0));
    if (layout != packed_up->layout(x_.dim(0))) return false;
    SharedRows shared;
    packed->gated(shared.of(x_.contiguous(), impl_.mode, layout), impl_.results(Ending::store, out), *packed_up,
                  up.impl_.results(Ending::gate, out));
    return true;
  }

  // The results of some rows of a float layer's weight, gathered into the thread's working memory.
  void columns(std::span<const std::int32_t> wanted, float* y) const {
    const std::size_t row_bytes = static_cast<std::size_t>(impl_.in_features) * size_of(impl_.weight.dtype());
    const std::size_t count = wanted.size();
    const auto numbers = (count * sizeof(float) + 63) / 64 * 64;
    auto* memory = scratch<std::byte>(Purpose::quantized, count * row_bytes + 2 * numbers);
    auto* scale = reinterpret_cast<float*>(memory);
    auto* bias = reinterpret_cast<float*>(memory + numbers);
    std::byte* rows = memory + 2 * numbers;
    const auto* stored = static_cast<const std::byte*>(impl_.weight.raw());
    for (std::size_t i = 0; i < count; ++i) {
      const auto column = static_cast<std::size_t>(wanted[i]);
      std::copy_n(stored + column * row_bytes, row_bytes, rows + i * row_bytes);
      if (!impl_.weight_scale.empty()) scale[i] = impl_.weight_scale[column];
      if (!impl_.bias.empty()) bias[i] = impl_.bias[column];
    }
    const Tensor x = x_.contiguous();
    const FloatProduct product{.x = x.data<float>(),
                               .m = x.dim(0),
                               .n = static_cast<std::int64_t>(count),
                               .k = impl_.in_features,
                               .weight = rows,
                               .dtype = impl_.weight.dtype(),
                               .scale = impl_.weight_scale.empty() ? nullptr : scale,
                               .bias = impl_.bias.empty() ? nullptr : bias,
                               .y = y};
    if (!float_product(product, chosen_float_engine(), impl_.math)) plain_float_product(product);
  }

 private:
  static const Linear::Impl& checked(const Linear& layer) {
    if (!layer.impl_) throw Error(ErrorCode::invalid_argument, "linear: forward on an undefined layer");
    return *layer.impl_;
  }

  void end_int8(const Tensor& rows, SharedRows& shared, Ending ending, float* y) const {
    const PackedS8* packed = impl_.packed();
    const RowLayout layout = packed != nullptr ? packed->layout(rows.dim(0)) : RowLayout::plain;
    const Int8Rows quantized = shared.of(rows, impl_.mode, layout);
    if (packed != nullptr) return packed->linear(quantized, impl_.results(ending, y));
    const std::vector<std::int32_t> no_terms(static_cast<std::size_t>(impl_.out_features));  // K is 0
    scale_sums(no_terms.data(), 0, rows.dim(0), impl_.out_features, quantized.scales, impl_.results(ending, y));
  }

  FloatProduct product(const float* x, std::int64_t m, Ending ending, float* y) const {
    return {.x = x,
            .m = m,
            .n = impl_.out_features,
            .k = impl_.in_features,
            .weight = impl_.weight.raw(),
            .dtype = impl_.weight.dtype(),
            .scale = impl_.weight_scale.empty() ? nullptr : impl_.weight_scale.data(),
            .bias = impl_.bias.empty() ? nullptr : impl_.bias.data(),
            .y = y,
            .ending = ending,
            .panels = impl_.panels.get()};
  }

  void end_float(const float* x, std::int64_t m, Ending ending, float* y) const {
    FloatProduct whole = product(x, m, ending, y);
    if (float_product(whole, chosen_float_engine(), impl_.math)) return;
    if (ending == Ending::store) return plain_float_product(whole);
    Tensor results = Tensor::empty(DType::f32, {m, impl_.out_features});
    whole.y = results.mutable_data<float>();
    plain_float_product(whole);
    end_values(ending, results.data<float>(), results.numel(), y);
  }

  const Linear::Impl& impl_;
  const Tensor& x_;
};

}  // namespace gemm

Tensor Linear::forward(const Tensor& x) const {
  gemm::SharedRows shared;
  return gemm::LinearCall(*this, x).forward(shared);
}

void Linear::forward_each(std::span<const Linear* const> layers, const Tensor& x, std::span<Tensor> results) {
  const Tensor rows = x.contiguous();
  gemm::SharedRows shared;
  for (std::size_t i = 0; i < layers.size(); ++i) results[i] = gemm::LinearCall(*layers[i], rows).forward(shared);
}

void Linear::forward_add(const Tensor& x, Tensor& residual) const {
  const gemm::LinearCall call(*this, x);
  gemm::SharedRows shared;
  const Shape expected{x.defined() && x.rank() > 0 ? x.dim(0) : 0, out_features()};
  if (!residual.defined() || residual.dtype() != DType::f32 || residual.shape() != expected ||
      !residual.is_contiguous()) {
    (void)call.forward(shared);  // an x that does not fit is the first to be named
    Binder(gemm::kLinearAddContract, module_path())
        .dim("M", expected[0], "x dim 0")
        .dim("N", expected[1], "the layer's out_features")
        .arg("residual", residual)
        .check();
    throw Error(ErrorCode::invalid_argument, "linear_add (" + module_path() + "): residual is a strided view");
  }
  if (call.fuses()) return call.end(shared, gemm::Ending::add, residual);
  const Tensor y = call.forward(shared);
  if (!y.is_meta() && !residual.is_meta())
    gemm::end_values(gemm::Ending::add, y.data<float>(), y.numel(), residual.mutable_data<float>());
}

Tensor Linear::forward_columns(const Tensor& x, std::span<const std::int32_t> columns) const {
  const gemm::LinearCall call(*this, x);
  if (!impl_->has_data || !impl_->weight.defined())
    throw Error(ErrorCode::unsupported, "linear (" + module_path() +
                                            "): forward_columns needs a weight as stored, and " +
                                            (impl_->has_data ? "this one is packed" : "this one has no data"));
  if (!gemm::fits(x, impl_->in_features)) {
    Binder binder(gemm::contract_of(impl_->kind), module_path());
    binder.dim("K", impl_->in_features, "the layer's in_features").arg("x", x).check();
  }
  for (const std::int32_t column : columns)
    if (column < 0 || column >= impl_->out_features)
      throw Error(ErrorCode::invalid_argument, "linear (" + module_path() + "): column " + std::to_string(column) +
                                                   " is asked for, there are " + std::to_string(impl_->out_features));
  Tensor y = Tensor::empty(DType::f32, {x.dim(0), static_cast<std::int64_t>(columns.size())});
  if (y.numel() != 0) call.columns(columns, y.mutable_data<float>());
  return y;
}

Tensor Linear::forward_gelu(const Tensor& x) const {
  const gemm::LinearCall call(*this, x);
  gemm::SharedRows shared;
  if (!call.fuses()) {
    Tensor y = call.forward(shared);
    if (!y.is_meta()) gemm::end_values(gemm::Ending::gelu, y.data<float>(), y.numel(), y.mutable_data<float>());
    return y;
  }
  Tensor y = Tensor::empty(DType::f32, {x.dim(0), out_features()});
  call.end(shared, gemm::Ending::gelu, y);
  return y;
}

Tensor forward_gated(const Linear& gate, const Linear& up, const Tensor& x) {
  if (gate.in_features() != up.in_features() || gate.out_features() != up.out_features())
    throw Error(ErrorCode::invalid_argument, "forward_gated: " + gate.module_path() + " is [" +
                                                 std::to_string(gate.out_features()) + ", " +
                                                 std::to_string(gate.in_features()) + "] and " + up.module_path() +
                                                 " [" + std::to_string(up.out_features()) + ", " +
                                                 std::to_string(up.in_features()) + "]: gate and up have one shape");
  const Tensor rows = x.contiguous();
  const gemm::LinearCall gate_call(gate, rows);
  const gemm::LinearCall up_call(up, rows);
  gemm::SharedRows shared;
  if (gate_call.fuses() && up_call.fuses()) {
    Tensor y = Tensor::empty(DType::f32, {rows.dim(0), gate.out_features()});
    if (gate_call.end_gated(up_call, y)) return y;
    gate_call.end(shared, gemm::Ending::store, y);
    up_call.end(shared, gemm::Ending::gate, y);
    return y;
  }
  Tensor y = gate_call.forward(shared);
  const Tensor by = up_call.forward(shared);
  if (!y.is_meta() && !by.is_meta())
    gemm::end_values(gemm::Ending::gate, by.data<float>(), by.numel(), y.mutable_data<float>());
  return y;
}

}  // namespace octavo
