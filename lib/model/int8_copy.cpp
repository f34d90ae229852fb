#include "int8_copy.hpp"

#include "octavo/quant.hpp"

namespace octavo::model {

Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math) {
  GptqOptions options;
  options.method = QuantMethod::rtn;
  options.scale_dtype = DType::f32;
  const QuantizedLayer layer = quantize_layer_rtn(weight, options, module_path);
  weight.drop_pages();  // they were read for this alone
  return Linear::w8a16(module_path, layer.weight, layer.scales, {}, math);
}

}  // namespace octavo::model
