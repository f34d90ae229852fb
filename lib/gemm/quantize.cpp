#include <algorithm>
#include <cmath>
#include <limits>

#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

namespace {

// Returns the largest magnitude of the row, or NaN / infinity when it has one.
float largest_magnitude(const float* x, std::int64_t k) {
  float largest = 0;
  bool finite = true;
  for (std::int64_t i = 0; i < k; ++i) {
    const float magnitude = std::fabs(x[i]);
    finite = finite && magnitude <= std::numeric_limits<float>::max();
    largest = std::max(largest, magnitude);
  }
  return finite ? largest : std::numeric_limits<float>::infinity();
}

// As the reference rounds. Adding 1.5 * 2^23 pushes the fraction out of the significand; |x| stays below 128 here.
// Unlike nearbyintf, a call without SSE4.1, this becomes two vector instructions.
float half_to_even(float x) {
  constexpr float kPush = 12582912.0F;
  return (x + kPush) - kPush;
}

}  // namespace

QuantizedRows quantize_per_token(const Tensor& x, TokenScale mode) {
  Binder binder(kQuantizePerTokenContract);
  binder.arg("x", x).check();
  const std::int64_t m = x.dim(0);
  const std::int64_t k = x.dim(1);
  QuantizedRows result{binder.output("q", DType::s8, {m, k}), binder.output("scale", DType::f32, {m})};
  if (!binder.has_data()) {
    binder.done({{"q", result.values}, {"scale", result.scales}});
    return result;
  }
  const Tensor rows = x.contiguous();
  const float* from = rows.data<float>();
  std::int8_t* values = result.values.mutable_data<std::int8_t>();
  float* scales = result.scales.mutable_data<float>();
  const float divisor = mode == TokenScale::absmax_127 ? 127.0F : 127.5F;
  parallel_for(
      m, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, k)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const float* in = from + row * k;
          const float largest = largest_magnitude(in, k);
          if (!std::isfinite(largest))
            throw Error(ErrorCode::invalid_argument, "quantize_per_token: row " + std::to_string(row) +
                                                         " of x holds NaN or infinity, which int8 cannot carry");
          const float scale = std::max(largest / divisor, std::numeric_limits<float>::epsilon());
          scales[row] = scale;
          std::int8_t* out = values + row * k;
          for (std::int64_t i = 0; i < k; ++i)
            out[i] = static_cast<std::int8_t>(std::clamp(half_to_even(in[i] / scale), -128.0F, 127.0F));
        }
      });
  binder.done({{"q", result.values}, {"scale", result.scales}});
  return result;
}

}  // namespace octavo
