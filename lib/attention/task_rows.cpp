#include "task_rows.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace octavo::attention_kernels {

void apply_mask(const Rows& rows, std::int64_t row, std::int64_t begin, std::int64_t count, float* scores,
                bool* hidden) {
  const ExplicitMask& mask = rows.problem.explicit_mask;
  const std::int64_t offset = rows.task.batch * mask.batch_stride + rows.head(row) * mask.head_stride +
                              rows.query(row) * rows.problem.kv_len + begin;
  for (std::int64_t j = 0; j < count; ++j) {
    const float added = mask.added != nullptr ? mask.added[offset + j] : 0.0F;
    hidden[j] =
        mask.visible != nullptr ? mask.visible[offset + j] == 0 : added == -std::numeric_limits<float>::infinity();
    // One NaN for all: which bits such a number carries must not matter to what it is rounded to.
    scores[j] = hidden[j]           ? -std::numeric_limits<float>::infinity()
                : std::isnan(added) ? std::numeric_limits<float>::quiet_NaN()
                                    : scores[j] + added;
  }
}

void copy_rows(const Kernels& kernels, const Stored& from, const Task& task, std::int64_t begin, std::int64_t count,
               std::int64_t width, std::int64_t stride, float* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = begin + i;
    float* out = to + i * stride;
    if (from.dtype == DType::bf16)
      kernels.widen_bf16(from.at<std::uint16_t>(task.batch, task.kv_head, row), width, out);
    else if (from.dtype == DType::s8)
      kernels.widen_s8(from.at<std::int8_t>(task.batch, task.kv_head, row),
                       from.scale_at(task.batch, task.kv_head, row), width, out);
    else
      std::memcpy(out, from.at<float>(task.batch, task.kv_head, row), static_cast<std::size_t>(width) * sizeof(float));
    std::fill(out + width, out + stride, 0.0F);
  }
}

bool all_finite(const float* values, std::int64_t rows, std::int64_t stride, std::int64_t width) noexcept {
  constexpr std::uint32_t kExponent = 0x7F800000U;  // all ones for NaN and infinity
  for (std::int64_t i = 0; i < rows; ++i) {
    std::uint32_t found = 0;
    for (std::int64_t d = 0; d < width; ++d)
      found |= (std::bit_cast<std::uint32_t>(values[i * stride + d]) & kExponent) == kExponent ? 1U : 0U;
    if (found != 0) return false;
  }
  return true;
}

}  // namespace octavo::attention_kernels
