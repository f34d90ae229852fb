#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::ShapeDetail weight_detail(const octavo::Shape& shape, std::int64_t in_features) {
  if (shape.rank() != 2) return {"gptq_quantize_layer", "", "weight", -1, "rank", 2, shape.rank()};
  return {"gptq_quantize_layer", "", "weight", 1, "K", in_features, shape[1]};
}

}  // namespace

extern "C" {

octavo_status octavo_hessian_create(int64_t in_features, octavo_hessian** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_hessian{octavo::HessianAccumulator(in_features, "hessian")};
  });
}

octavo_status octavo_hessian_add(octavo_hessian* hessian, const octavo_tensor* x) {
  return guarded([&] {
    require(hessian, "hessian");
    const InUse use(hessian->caller, "hessian");
    if (hessian->sums.defined())
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "hessian takes no more rows since octavo_gptq_quantize_layer used it: create another");
    hessian->value.add(tensor_of(x, "x"));
  });
}

void octavo_hessian_release(octavo_hessian* hessian) { delete hessian; }

octavo_status octavo_gptq_quantize_layer(const octavo_tensor* weight, octavo_hessian* hessian,
                                         const octavo_gptq_options* options, octavo_tensor** out_weight,
                                         octavo_tensor** out_scales, octavo_gptq_result* out_result) {
  return guarded([&] {
    const octavo::Tensor& w = tensor_of(weight, "weight");
    require(out_weight, "out_weight");
    require(out_scales, "out_scales");
    if (out_result != nullptr) require_result(out_result, "out_result");
    const octavo_gptq_options given = read_options(options, "options");
    if (given.method != OCTAVO_METHOD_GPTQ && given.method != OCTAVO_METHOD_RTN)
      throw octavo::Error(octavo::ErrorCode::invalid_argument, "options.method is " + std::to_string(given.method) +
                                                                   ", known are OCTAVO_METHOD_GPTQ and _RTN");
    octavo::GptqOptions gptq;
    gptq.method = given.method == OCTAVO_METHOD_RTN ? octavo::QuantMethod::rtn : octavo::QuantMethod::gptq;
    gptq.act_order = given.no_act_order == 0;
    require_zero(given.reserved0);
    gptq.scale_dtype = dtype_from(given.scale_dtype);  // 0 is f32, as which scales are handed out
    if (*gptq.scale_dtype != octavo::DType::f32 && *gptq.scale_dtype != octavo::DType::bf16 &&
        *gptq.scale_dtype != octavo::DType::f16)
      throw octavo::Error(octavo::ErrorCode::invalid_argument, std::string("options.scale_dtype is ") +
                                                                   octavo::dtype_name(*gptq.scale_dtype) +
                                                                   ", scales are f32, bf16 or f16");
    if (given.damp_percent != 0) gptq.damp_percent = given.damp_percent;
    if (given.block_size != 0) gptq.block_size = given.block_size;

    octavo::QuantizedLayer layer;
    if (hessian == nullptr) {
      if (gptq.method != octavo::QuantMethod::rtn) require(hessian, "hessian");
      layer = octavo::quantize_layer_rtn(w, gptq, "weight");
    } else {
      if (w.rank() != 2 || w.dim(1) != hessian->value.in_features())
        throw octavo::Error(octavo::ErrorCode::shape_mismatch,
                            "weight is " + w.shape().to_string() + ", but the Hessian has in_features " +
                                std::to_string(hessian->value.in_features()),
                            weight_detail(w.shape(), hessian->value.in_features()));
      const InUse use(hessian->caller, "hessian");
      if (!hessian->sums.defined()) hessian->sums = hessian->value.take();
      const octavo::PreparedHessian prepared(hessian->sums, gptq, "hessian");
      layer = octavo::quantize_layer(w, prepared, gptq, "weight");
    }
    auto integers = std::make_unique<octavo_tensor>(octavo_tensor{layer.weight});
    auto scales = std::make_unique<octavo_tensor>(octavo_tensor{layer.scales});
    if (out_result != nullptr) {
      octavo_gptq_result result = OCTAVO_GPTQ_RESULT_INIT;
      result.loss = layer.loss;
      result.rtn_loss = layer.rtn_loss;
      result.damp_used = layer.damp_used;
      result.dead_columns = layer.dead_columns;
      write_result(out_result, result);
    }
    *out_weight = integers.release();
    *out_scales = scales.release();
  });
}

octavo_status octavo_linear_w8a8_create(const octavo_tensor* weight, const octavo_tensor* weight_scale,
                                        const octavo_tensor* bias, octavo_linear** out) {
  return guarded([&] {
    require(out, "out");
    *out =
        new octavo_linear{octavo::Linear::w8a8("", tensor_of(weight, "weight"), tensor_of(weight_scale, "weight_scale"),
                                               bias == nullptr ? octavo::Tensor() : bias->value)};
  });
}

octavo_status octavo_linear_w8a16_create(const octavo_tensor* weight, const octavo_tensor* weight_scale,
                                         const octavo_tensor* bias, octavo_linear** out) {
  return guarded([&] {
    require(out, "out");
    // A copy: the memory of a borrowed tensor is the caller's.
    *out = new octavo_linear{octavo::Linear::w8a16("", tensor_of(weight, "weight").clone(),
                                                   tensor_of(weight_scale, "weight_scale"),
                                                   bias == nullptr ? octavo::Tensor() : bias->value)};
  });
}

octavo_status octavo_linear_forward(const octavo_linear* linear, const octavo_tensor* x, octavo_tensor** out_y) {
  return guarded([&] {
    require(linear, "linear");
    require(out_y, "out_y");
    *out_y = new octavo_tensor{linear->value.forward(tensor_of(x, "x"))};
  });
}

void octavo_linear_release(octavo_linear* linear) { delete linear; }

}  // extern "C"
