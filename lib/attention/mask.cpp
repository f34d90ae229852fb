#include "octavo/attention.hpp"

namespace octavo {

Mask Mask::none() { return {}; }

Mask Mask::causal(std::int64_t past) {
  if (past < 0)
    throw Error(ErrorCode::invalid_argument,
                "Mask::causal: past is " + std::to_string(past) + ", it cannot be negative");
  Mask mask;
  mask.kind_ = Kind::causal;
  mask.past_ = past;
  return mask;
}

Mask Mask::segments(std::vector<std::int32_t> cu_seqlens) {
  bool rising = !cu_seqlens.empty() && cu_seqlens.front() == 0;
  for (std::size_t i = 1; i < cu_seqlens.size(); ++i) rising = rising && cu_seqlens[i] >= cu_seqlens[i - 1];
  if (!rising) throw Error(ErrorCode::invalid_argument, "Mask::segments: cu_seqlens must start with 0 and never fall");
  Mask mask;
  mask.kind_ = Kind::segments;
  mask.cu_seqlens_ = std::move(cu_seqlens);
  return mask;
}

Mask Mask::explicit_tensor(Tensor mask_tensor) {
  if (!mask_tensor.defined())
    throw Error(ErrorCode::invalid_argument, "Mask::explicit_tensor: the tensor is undefined");
  Mask mask;
  mask.kind_ = Kind::tensor;
  mask.tensor_ = std::move(mask_tensor);
  return mask;
}

}  // namespace octavo
