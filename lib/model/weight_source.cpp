#include "weight_source.hpp"

#include <optional>
#include <utility>

namespace octavo::model {

Tensor CheckpointWeights::tensor(const std::string& name, const Shape& /*shape*/, const std::string& /*because*/) {
  return checkpoint_.tensor(name);
}

StoredLinear CheckpointWeights::linear(const std::string& path, const Extent& /*out*/, const Extent& /*in*/,
                                       bool bias) {
  StoredLinear linear;
  linear.scheme = checkpoint_.scheme_of(path);
  linear.weight = checkpoint_.tensor(path + ".weight");
  if (linear.scheme != StoredScheme::none) linear.weight_scale = checkpoint_.tensor(path + ".weight_scale");
  if (bias) linear.bias = checkpoint_.tensor(path + ".bias");
  return linear;
}

Tensor HeaderWeights::stored(const std::string& name, DType promised_dtype, const Shape& promised) {
  const TensorInfo* info = checkpoint_.find(name);
  const DType dtype = info != nullptr && info->dtype ? *info->dtype : promised_dtype;
  const Shape& shape = info != nullptr ? info->shape : promised;
  stored_ += dtype_name(dtype) + shape.to_string() + " ";
  return Tensor::meta(dtype, shape);
}

Tensor HeaderWeights::tensor(const std::string& name, const Shape& shape, const std::string& /*because*/) {
  return stored(name, DType::f32, shape);
}

StoredLinear HeaderWeights::linear(const std::string& path, const Extent& out, const Extent& in, bool bias) {
  StoredLinear linear;
  linear.scheme = checkpoint_.scheme_of(path);
  const bool is_int8 = linear.scheme != StoredScheme::none;
  linear.weight = stored(path + ".weight", is_int8 ? DType::s8 : DType::f32, {out.size, in.size});
  if (is_int8) linear.weight_scale = stored(path + ".weight_scale", DType::f32, {out.size, 1});
  if (bias) linear.bias = stored(path + ".bias", DType::f32, {out.size});
  return linear;
}

std::string HeaderWeights::take_stored() { return std::exchange(stored_, {}); }

Tensor ListedWeights::tensor(const std::string& name, const Shape& shape, const std::string& because) {
  tensors.push_back({name, shape, because});
  return Tensor::meta(DType::f32, shape);
}

StoredLinear ListedWeights::linear(const std::string& path, const Extent& out, const Extent& in, bool bias) {
  const std::optional<StoredScheme> scheme = scheme_of(path);
  const bool is_int8 = scheme.value_or(StoredScheme::none) != StoredScheme::none;
  StoredLinear linear;  // whatever is stored: a float one stands for it
  linear.weight = tensor(path + ".weight", {out.size, in.size}, out.reason() + ", " + in.reason());
  tensors.back().scheme = scheme.value_or(StoredScheme::none);
  tensors.back().storage_known = scheme.has_value();
  if (is_int8) tensor(path + ".weight_scale", {out.size, 1}, out.reason() + ", one scale per row");
  if (bias) linear.bias = vector(path + ".bias", out);
  return linear;
}

std::optional<StoredScheme> ListedWeights::scheme_of(const std::string& path) {
  try {
    return checkpoint_.scheme_of(path);
  } catch (const Error& error) {
    if (problems_ == nullptr) throw;
    const std::string what = error.what();
    if (told_.insert(what).second)
      problems_->push_back({what, checkpoint_.config().where() + ": quantization_config",
                            "Octavo runs compressed-tensors \"int-quantized\" and \"pack-quantized\": int8 weights per "
                            "channel, activations int8 per token or float"});
    return std::nullopt;
  }
}

}  // namespace octavo::model
