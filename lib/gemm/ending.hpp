// What becomes of a product's results where they are made, so that they pass memory once. The bits are those of the
// product followed by the operation: the same formulas (octavo/detail/activations.hpp), rounded in the same order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "octavo/detail/activations.hpp"

namespace octavo::gemm {

enum class Ending : std::uint8_t {
  store,  // y = result
  add,    // y += result: the residual stream
  gate,   // y = silu(gate) * result
  gelu,   // y = gelu(result)
};

// What turns sums into results, and where they go: (sum[i,j] * token[i]) * channel[j] + bias[j], each step rounded to
// float32 in this order on every backend, then the ending. Sums of float products have no tokens.
struct Results {
  const float* channel;  // [N]; of float products, null where there is none
  const float* bias;     // [N], or null
  Ending ending;
  float* y;             // [M,N]
  std::int64_t stride;  // values from row to row of y
  const float* gate;    // [M,N], or null where the ending reads none; maybe y
  std::int64_t gate_stride;

  Results at(std::int64_t row, std::int64_t column) const {
    return {channel == nullptr ? nullptr : channel + column,
            bias == nullptr ? nullptr : bias + column,
            ending,
            y + row * stride + column,
            stride,
            ending == Ending::gate ? gate + row * gate_stride + column : nullptr,
            gate_stride};
  }
};

// y[i] ends in results[i], which may be y itself where the ending reads no y.
void end_values(Ending ending, const float* results, std::int64_t count, float* y);

namespace {

inline constexpr std::int64_t kEndedTogether = 64;  // results of a row that stay in the first cache

// `gate` is what Ending::gate reads, maybe y itself.
[[gnu::always_inline]] inline void end_row(Ending ending, const float* results, std::int64_t count, float* y,
                                           const float* gate) {
  switch (ending) {
    case Ending::store:
      std::copy_n(results, count, y);
      return;
    case Ending::add:
      for (std::int64_t j = 0; j < count; ++j) y[j] += results[j];
      return;
    case Ending::gate:
      for (std::int64_t j = 0; j < count; ++j) y[j] = detail::silu(gate[j]) * results[j];
      return;
    case Ending::gelu:
      for (std::int64_t j = 0; j < count; ++j) y[j] = detail::gelu(results[j]);
      return;
  }
}

// The results of `count` sums of a row. Loops are unrolled where the count is known: of the whole tiles that kernels
// hand over.
[[gnu::always_inline]] inline void scale_all(const std::int32_t* sums, float token, const float* channel,
                                             const float* bias, std::int64_t count, float* to) {
  for (std::int64_t j = 0; j < count; ++j) to[j] = (static_cast<float>(sums[j]) * token) * channel[j] + bias[j];
}

[[gnu::always_inline]] inline void scale_all(const float* sums, float /*token*/, const float* channel,
                                             const float* bias, std::int64_t count, float* to) {
  for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] * channel[j] + bias[j];
}

// The same where there may be no bias, and for floats no scale.
[[gnu::always_inline]] inline void scale_row(const std::int32_t* sums, float token, const float* channel,
                                             const float* bias, std::int64_t count, float* to) {
  if (bias != nullptr) return scale_all(sums, token, channel, bias, count, to);
  for (std::int64_t j = 0; j < count; ++j) to[j] = (static_cast<float>(sums[j]) * token) * channel[j];
}

[[gnu::always_inline]] inline void scale_row(const float* sums, float token, const float* channel, const float* bias,
                                             std::int64_t count, float* to) {
  if (channel != nullptr && bias != nullptr)
    scale_all(sums, token, channel, bias, count, to);
  else if (channel != nullptr)
    for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] * channel[j];
  else if (bias != nullptr)
    for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] + bias[j];
  else
    std::copy_n(sums, count, to);
}

// At most kEndedTogether sums of a row, int32 or float32, to the results that begin at `at`.
template <class Word>
[[gnu::always_inline]] inline void scale_and_end(const Word* sums, float token, const Results& at, std::int64_t count) {
  if (at.ending == Ending::store) return scale_row(sums, token, at.channel, at.bias, count, at.y);
  float scaled[kEndedTogether];
  scale_row(sums, token, at.channel, at.bias, count, scaled);
  end_row(at.ending, scaled, count, at.y, at.gate);
}

}  // namespace

}  // namespace octavo::gemm
