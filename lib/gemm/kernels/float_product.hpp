// Float products over weights as stored, on AVX2, AVX-512 and AMX.
#pragma once

#include <cstdint>

#include "ending.hpp"
#include "octavo/gemm.hpp"

namespace octavo::gemm {

class FloatPanels;
class LazyPanels;

// y[M,N] ends in (x[M,K] w[N,K]^T) * scale[j] + bias[j]; scale and bias may be null.
struct FloatProduct {
  const float* x;
  std::int64_t m, n, k;
  const void* weight;
  DType dtype;  // of the weight: f32, bf16, f16 or s8
  const float* scale;
  const float* bias;
  float* y;
  Ending ending = Ending::store;
  const LazyPanels* panels = nullptr;  // of the weight, where it may be packed
};

// The product of one row of x, which ends as p does.
inline FloatProduct row_of(const FloatProduct& p, std::int64_t index) {
  FloatProduct one = p;
  one.x += index * p.k;
  one.y += index * p.n;
  one.m = 1;
  return one;
}

// What multiplies floats, each taking what it is no better at from the one before.
enum class FloatEngine : std::uint8_t { portable, avx2, avx512, avx512_bf16, amx_bf16 };
FloatEngine chosen_float_engine();  // forced, named by the environment, or the best this processor has

// False, and nothing done, where sgemm over widened weights is to do it. The order of every sum depends on the shape
// and the engine alone.
bool float_product(const FloatProduct& p, FloatEngine engine, FloatMath math);

// Two products of the same x, whose weights have one type and shape, as one after the other, to the same bits: y of the
// second is near where it is the first's. False, and nothing done, where that is no gain.
bool float_products(const FloatProduct& first, const FloatProduct& second, FloatEngine engine, FloatMath math);

// float_product on any processor; stores.
void plain_float_product(const FloatProduct& p);

// Rows up to which a product streams the weights and multiplies them in float32; more are multiplied in tiles.
inline constexpr std::int64_t kStreamedRows = 8;

// y[r * n + j] for `count` weight rows from `first`. Both give the same bits.
void stream_rows_avx512(const FloatProduct& p, std::int64_t first, std::int64_t count);
void stream_rows_avx2(const FloatProduct& p, std::int64_t first, std::int64_t count);

// The same bits from `count` panels from `first`, and rows x_stride values apart: K rounded up to kPanelTerms by zeros.
void stream_panels_avx512(const FloatProduct& p, const FloatPanels& panels, const float* x, std::int64_t x_stride,
                          std::int64_t first, std::int64_t count);
inline constexpr std::int64_t kPanelTerms = 16;

}  // namespace octavo::gemm
