#include "int8_copy.hpp"

#include <algorithm>
#include <cstring>

#include "octavo/quant.hpp"

namespace octavo::model {

namespace {

constexpr std::int64_t kPartValues = std::int64_t{1} << 22;  // widened at a time: 16 MiB

}  // namespace

Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math) {
  GptqOptions options;
  options.method = QuantMethod::rtn;
  options.scale_dtype = DType::f32;
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  Tensor values = Tensor::empty(DType::s8, {n, k});
  Tensor scales = Tensor::empty(DType::f32, {n});
  const std::int64_t part = std::max<std::int64_t>(1, kPartValues / std::max<std::int64_t>(1, k));
  for (std::int64_t begin = 0; begin < n; begin += part) {  // a row's scale is its own: parts change nothing
    const QuantizedLayer rows =
        quantize_layer_rtn(weight.slice(0, begin, std::min(n, begin + part)), options, module_path);
    std::memcpy(values.mutable_data<std::int8_t>() + begin * k, rows.weight.data<std::int8_t>(),
                rows.weight.size_bytes());
    std::memcpy(scales.mutable_data<float>() + begin, rows.scales.data<float>(), rows.scales.size_bytes());
  }
  return Linear::w8a16(module_path, values, scales, {}, math);
}

}  // namespace octavo::model
