#include <algorithm>
#include <utility>

#include "checks.hpp"
#include "loss.hpp"
#include "octavo/cancel.hpp"
#include "octavo/quant.hpp"
#include "scales.hpp"

namespace octavo {

namespace {

constexpr std::int64_t kPartValues = std::int64_t{1} << 22;  // of float32 at a time: a head of 3B has 311 million

}  // namespace

// A row's scale and loss are its own, so that parts of the rows give what the whole would.
QuantizedLayer quantize_layer_rtn(const Tensor& weight, const GptqOptions& options, std::string_view name) {
  const std::string who = "quantize_layer_rtn (" + std::string(name) + ")";
  quant::check_options(options, who);
  quant::check_weight(weight, who);
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  const DType scale_dtype = options.scale_dtype.value_or(weight.dtype());
  const std::int64_t part = std::clamp<std::int64_t>(kPartValues / k, 1, n);

  QuantizedLayer layer;
  layer.weight = Tensor::empty(DType::s8, {n, k});
  layer.scales = Tensor::empty(DType::f32, {n});
  Tensor difference = Tensor::empty(DType::f32, {part, k});
  for (std::int64_t begin = 0; begin < n; begin += part) {
    check_cancelled();
    const std::int64_t rows = std::min(part, n - begin);
    const Tensor values = weight.slice(0, begin, begin + rows).contiguous().to(DType::f32);
    const float* w = values.data<float>();
    quant::check_finite(w, rows, k, "weight", who, begin);
    const std::vector<float> scales = quant::channel_scales(w, rows, k, options.observer, scale_dtype, who, begin);
    std::copy(scales.begin(), scales.end(), layer.scales.mutable_data<float>() + begin);
    std::int8_t* q = layer.weight.mutable_data<std::int8_t>() + begin * k;
    quant::round_to_nearest(w, rows, k, scales, q);
    auto* d = difference.mutable_data<float>();
    quant::subtract_dequantized(w, rows, k, scales, q, d);
    layer.loss += quant::quadratic_error(d, rows, nullptr, k);
  }
  layer.rtn_loss = layer.loss;
  return layer;
}

}  // namespace octavo
