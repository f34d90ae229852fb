// From int32 sums to float32 results. The order of the steps is the contract that makes backends agree to the bit; this
// file is compiled without fused multiply-adds (lib/modules.cmake), which would skip a rounding.
#include <algorithm>

#include "backend.hpp"
#include "octavo/detail/clones.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

OCTAVO_CLONES void scale_sums(const std::int32_t* sums, std::int64_t sums_stride, std::int64_t rows,
                              std::int64_t columns, const Scales& scales, float* y, std::int64_t y_stride) {
  const float* channel = scales.channel;
  const float* bias = scales.bias;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int32_t* from = sums + i * sums_stride;
    float* to = y + i * y_stride;
    const float token = scales.token[i];
    if (bias != nullptr)
      for (std::int64_t j = 0; j < columns; ++j) to[j] = (static_cast<float>(from[j]) * token) * channel[j] + bias[j];
    else
      for (std::int64_t j = 0; j < columns; ++j) to[j] = (static_cast<float>(from[j]) * token) * channel[j];
  }
}

void PackedS8::linear(const std::int8_t* a, std::int64_t m, const Scales& scales, float* y) const {
  const std::int64_t n = out_features();
  auto* sums = scratch<std::int32_t>(Purpose::sums, static_cast<std::size_t>(m * n));
  multiply(a, m, sums);
  parallel_for(m, std::max<std::int64_t>(1, 65536 / n), [&](std::int64_t begin, std::int64_t end) {
    scale_sums(sums + begin * n, n, end - begin, n, {scales.token + begin, scales.channel, scales.bias}, y + begin * n,
               n);
  });
}

}  // namespace octavo::gemm
