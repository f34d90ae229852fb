#include <utility>

#include "checks.hpp"
#include "octavo/quant.hpp"
#include "prepared.hpp"
#include "scales.hpp"

namespace octavo {

QuantizedLayer quantize_layer_rtn(const Tensor& weight, const GptqOptions& options, std::string_view name) {
  const std::string who = "quantize_layer_rtn (" + std::string(name) + ")";
  quant::check_options(options, who);
  const Tensor values = quant::checked_weight(weight, who);
  const std::int64_t n = values.dim(0);
  const std::int64_t k = values.dim(1);
  const float* w = values.data<float>();
  const std::vector<float> scales =
      quant::channel_scales(w, n, k, options.observer, options.scale_dtype.value_or(weight.dtype()), who);

  QuantizedLayer layer;
  layer.weight = Tensor::empty(DType::s8, {n, k});
  layer.scales = Tensor::from<float>(scales, {n});
  quant::round_to_nearest(w, n, k, scales, layer.weight.mutable_data<std::int8_t>());
  Tensor difference = Tensor::empty(DType::f32, {n, k});
  auto* d = difference.mutable_data<float>();
  quant::subtract_dequantized(w, n, k, scales, layer.weight.data<std::int8_t>(), d);
  layer.loss = quant::quadratic_error(d, n, nullptr, k);
  layer.rtn_loss = layer.loss;
  return layer;
}

}  // namespace octavo
