#include "quantize.hpp"

#include <algorithm>

#include "kernels/quantize_row.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

namespace octavo {

namespace gemm {

void quantize_rows(const float* x, std::int64_t m, std::int64_t k, TokenScale mode, std::int8_t* q, float* scale) {
  constexpr std::int64_t kWorthAThread = 1 << 16;  // values of a part, some 10 us
  const float divisor = mode == TokenScale::absmax_127 ? 127.0F : 127.5F;
  const QuantizeRow quantize = quantize_row();
  parallel_for(m, std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, k)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row)
                   if (!quantize(x + row * k, k, divisor, q + row * k, scale + row))
                     throw Error(ErrorCode::not_finite, "quantize_per_token: row " + std::to_string(row) +
                                                            " of x holds NaN or infinity, which int8 cannot "
                                                            "carry");
               });
}

SharedRows::Rows SharedRows::of(const Tensor& x, TokenScale mode) {
  if (rows_.values != nullptr && mode_ == mode) return rows_;
  const std::int64_t m = x.dim(0);
  const std::int64_t k = x.dim(1);
  const std::int64_t scale_bytes = (m * 4 + 63) / 64 * 64;
  auto* memory = scratch<std::byte>(Purpose::quantized, static_cast<std::size_t>(scale_bytes + m * k));
  auto* scales = reinterpret_cast<float*>(memory);
  auto* values = reinterpret_cast<std::int8_t*>(memory + scale_bytes);
  quantize_rows(x.data<float>(), m, k, mode, values, scales);
  mode_ = mode;
  return rows_ = {values, scales};
}

}  // namespace gemm

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
  gemm::quantize_rows(rows.data<float>(), m, k, mode, result.values.mutable_data<std::int8_t>(),
                      result.scales.mutable_data<float>());
  binder.done({{"q", result.values}, {"scale", result.scales}});
  return result;
}

}  // namespace octavo
