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

// y[i] ends in results[i], which may be y itself where the ending reads no y.
void end_values(Ending ending, const float* results, std::int64_t count, float* y);

namespace {

inline constexpr std::int64_t kEndedTogether = 64;  // results of a row that stay in the first cache

// `gate` is what Ending::gate reads, maybe y itself.
inline void end_row(Ending ending, const float* results, std::int64_t count, float* y, const float* gate) {
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

}  // namespace

}  // namespace octavo::gemm
