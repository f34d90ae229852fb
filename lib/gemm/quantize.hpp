// Rows of an input in int8, for the layers that multiply them.
#pragma once

#include <cstdint>

#include "octavo/gemm.hpp"

namespace octavo::gemm {

// q[M,K], scale[M] of x[M,K] as quantize_per_token gives them, into memory that is there.
void quantize_rows(const float* x, std::int64_t m, std::int64_t k, TokenScale mode, std::int8_t* q, float* scale);

// The int8 rows of one input: made when the first layer asks, kept for the others that do it the same way. In the
// calling thread's working memory, so valid until the thread quantizes something else.
class SharedRows {
 public:
  struct Rows {
    const std::int8_t* values;  // [M,K]
    const float* scales;        // [M]
  };
  Rows of(const Tensor& x, TokenScale mode);  // x[M,K], contiguous, the same at every call

 private:
  Rows rows_{nullptr, nullptr};
  TokenScale mode_ = TokenScale::absmax_127;
};

}  // namespace octavo::gemm
