#include "weight_source.hpp"

namespace octavo::model {

HeaderWeights::HeaderWeights(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected) {
  weights_.reserve(expected.size());
  for (const ExpectedTensor& tensor : expected) {
    if (tensor.optional) continue;  // a copy that nothing reads: lm_head of a tied model
    // Whatever is stored, the promise alone can be followed.
    const TensorInfo* info = tensor.storage_known ? checkpoint.find(tensor.name) : nullptr;
    const DType promised = tensor.scheme != StoredScheme::none ? DType::s8 : DType::f32;
    weights_[tensor.name] = {info != nullptr && info->dtype ? *info->dtype : promised,
                             info != nullptr ? info->shape : tensor.shape, tensor.shape, tensor.scheme};
  }
}

Tensor HeaderWeights::tensor(const std::string& name) const { return Tensor::meta(at(name).dtype, at(name).shape); }

const HeaderWeights::Weight& HeaderWeights::at(const std::string& name) const {
  const auto found = weights_.find(name);
  if (found == weights_.end()) throw Error(ErrorCode::not_found, "config.json promises no tensor \"" + name + "\"");
  return found->second;
}

}  // namespace octavo::model
