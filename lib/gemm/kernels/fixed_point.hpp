// Few rows of float32 by weights in int8, in whole numbers: a row is rounded to 31 bits and a power of two, cut into
// four signed bytes, and each is multiplied by the weights by VNNI, exactly. So a weight costs a quarter of the
// instructions that widening it to float32 takes, and memory is the limit.
#pragma once

#include <array>
#include <cstdint>

#include "float_product.hpp"

namespace octavo::gemm {

inline constexpr std::int64_t kFixedDigits = 4;

// x[K] = step * sum of digits[d] * 256^d, each within step / 2: 2^-30 of the largest |x|.
struct FixedRow {
  const std::int8_t* digits;         // [ceil(K / 64)][kFixedDigits][64], 0 beyond K
  float step;                        // a power of two; 0: the row does not lend itself to it
  std::int32_t start[kFixedDigits];  // what sums by weights that are offset by 128 begin at
};

// Bytes of a row's digit or of weights that are multiplied together, and how far ahead weights are fetched: some 500
// ns.
inline constexpr std::int64_t kFixedLine = 64, kFixedAhead = 2048;

inline constexpr std::int64_t kFixedStep = kFixedLine * kFixedDigits;  // bytes of a row's digits for a line of weights
inline std::int64_t fixed_row_bytes(std::int64_t k) { return (k + kFixedLine - 1) / kFixedLine * kFixedStep; }

// What an instruction set has to provide; both give the same bits.
struct FixedKernel {
  // A row that holds NaN or infinity, or nothing but numbers near the end of float32's range, gets step 0, and no
  // digits. The digits for a line of weights are written every `apart` bytes from `digits` on, aligned to 64.
  FixedRow (*fix)(const float* x, std::int64_t k, std::int8_t* digits, std::int64_t apart);
  // y[j * apart] of `count` <= rows_together rows of the weight [.., k], `apart` rows from each other.
  void (*multiply)(const FixedRow& x, const std::int8_t* weight, std::int64_t k, std::int64_t apart, std::int64_t count,
                   float* y);
  std::int64_t rows_together;
};
extern const FixedKernel kFixedAvx512Vnni;
extern const FixedKernel kFixedAvxVnni;

// The parts of `fix`: a row without digits yet, whose numbers are to be multiplied by `power` and rounded; and all of
// it on any processor.
FixedRow fixed_row_of(float largest, const std::int8_t* digits, float& power);
FixedRow fix_row_plain(const float* x, std::int64_t k, std::int8_t* digits, std::int64_t apart);

inline float join_digits(const std::int32_t* sums, float step) {
  std::int64_t sum = 0;  // below 2^31 * 2^25
  for (std::int64_t d = kFixedDigits - 1; d >= 0; --d) sum = sum * 256 + sums[d];
  return static_cast<float>(sum) * step;
}

// The same of a row's sums [kFixedDigits][columns], a multiple of eight, to [columns]. They begin at row.start where
// `offset`.
void join_digits_avx512(const std::int32_t* sums, const FixedRow& row, bool offset, std::int64_t columns, float* to);

// The rows of a product, made ready once for all columns: those that lend themselves to whole numbers, over weights in
// int8 on a processor with VNNI, are multiplied so, others by stream_rows. A row has the same bits alone and among
// others.
class FewRows {
 public:
  FewRows(const FloatProduct& product, FloatEngine engine);   // in the calling thread's working memory
  void stream(std::int64_t first, std::int64_t count) const;  // y[r * n + j], as the two stream_rows

 private:
  const FloatProduct& p_;
  void (*stream_)(const FloatProduct& p, std::int64_t first, std::int64_t count);
  const FixedKernel* kernel_;  // or null
  std::array<FixedRow, kStreamedRows> rows_{};
  bool fixed_ = false;  // any of them
};

}  // namespace octavo::gemm
