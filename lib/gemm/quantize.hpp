// Rows of an input in int8, for the layers that multiply them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend.hpp"
#include "octavo/gemm.hpp"

namespace octavo::gemm {

// How rows of K values are divided in a layout: whole strips, each so many bytes.
struct Strips {
  Strips(RowLayout layout, std::int64_t k);
  std::int64_t rows, stride;
  std::int64_t bytes(std::int64_t m) const { return (m + rows - 1) / rows * stride; }
};

// A strip of `rows` int8 rows [rows,K] in a layout of words.
void interleave_in(RowLayout layout, const std::int8_t* from, std::int64_t k, std::int64_t rows, std::byte* strip);

// x[M,K] as quantize_per_token quantizes it, into memory that is there: values in a layout, scales [M].
void quantize_rows(const float* x, std::int64_t m, std::int64_t k, TokenScale mode, RowLayout layout, std::byte* values,
                   float* scales);

// The int8 rows of one input: made when the first layer asks, kept for the others that want the same. In the calling
// thread's working memory, so valid until the thread quantizes something else.
class SharedRows {
 public:
  Int8Rows of(const Tensor& x, TokenScale mode, RowLayout layout);  // x[M,K], contiguous, the same at every call

 private:
  Int8Rows rows_{};
  TokenScale mode_ = TokenScale::absmax_127;
  RowLayout layout_ = RowLayout::plain;
};

}  // namespace octavo::gemm
