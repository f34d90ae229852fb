// Few rows of float32 by weights in int8, in whole numbers: a row is rounded to 31 bits and a power of two, cut into
// four signed bytes, and each is multiplied by the weights by AVX512-VNNI, exactly. So a weight costs a quarter of the
// instructions that widening it to float32 takes, and memory is the limit.
#pragma once

#include <array>
#include <cstdint>

#include "float_product.hpp"

namespace octavo::gemm {

inline constexpr std::int64_t kFixedDigits = 4;

// x[K] = step * sum of digits[d] * 256^d, each within step / 2: 2^-30 of the largest |x|.
struct FixedRow {
  const std::int8_t* digits;  // [ceil(K / 64)][kFixedDigits][64], 0 beyond K
  float step;                 // a power of two; 0: the row does not lend itself to it
  std::int32_t start[kFixedDigits];
};

inline std::int64_t fixed_row_bytes(std::int64_t k) { return (k + 63) / 64 * 64 * kFixedDigits; }

// A row that holds NaN or infinity, or nothing but numbers near the end of float32's range, gets step 0. `digits` has
// room for fixed_row_bytes(k), aligned to 64. AVX512-VNNI.
FixedRow fix_row(const float* x, std::int64_t k, std::int8_t* digits);

// The rows of a product, made ready once for all columns: those that lend themselves to whole numbers, over weights in
// int8 on a processor with AVX512-VNNI, are multiplied so, others by stream_rows_avx512. A row has the same bits alone
// and among others.
class FewRows {
 public:
  explicit FewRows(const FloatProduct& product);              // in the calling thread's working memory
  void stream(std::int64_t first, std::int64_t count) const;  // y[r * n + j], as stream_rows_avx512

 private:
  FloatProduct row(std::int64_t index) const;

  const FloatProduct& p_;
  std::array<FixedRow, kStreamedRows> rows_{};
  bool fixed_ = false;  // any of them
};

}  // namespace octavo::gemm
