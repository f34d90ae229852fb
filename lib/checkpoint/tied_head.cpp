#include <algorithm>
#include <cstring>

#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

constexpr std::int64_t kRows = 256;  // compared at a time: a head of other values shows in the first

bool equal_values(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.rank() != 2) return false;
  for (std::int64_t begin = 0; begin < a.dim(0); begin += kRows) {
    const std::int64_t end = std::min(begin + kRows, a.dim(0));
    Tensor left = a.slice(0, begin, end);
    Tensor right = b.slice(0, begin, end);
    if (a.dtype() != b.dtype()) {
      left = left.to(DType::f32);
      right = right.to(DType::f32);
    }
    if (std::memcmp(left.raw(), right.raw(), left.size_bytes()) != 0) return false;
  }
  return true;
}

}  // namespace

bool embedding_is_head(const Checkpoint& checkpoint, std::optional<bool> tie_word_embeddings) {
  const TensorInfo* head = checkpoint.find("lm_head.weight");
  if (!tie_word_embeddings.value_or(head == nullptr)) return false;
  const TensorInfo* table = checkpoint.find("model.embed_tokens.weight");
  if (head == nullptr || table == nullptr || !head->dtype || !table->dtype) return true;
  return equal_values(checkpoint.tensor("lm_head.weight"), checkpoint.tensor("model.embed_tokens.weight"));
}

}  // namespace octavo
