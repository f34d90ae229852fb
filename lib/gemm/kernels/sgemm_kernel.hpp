// What one instruction set has to provide for float32 products; sgemm.cpp does the rest.
//
// Both operands are packed into panels: [K][width] floats, where width is that of a vector. A strip of A is a panel of
// its rows, of which fewer than `width` may be used; two panels of B stand side by side in C. K is rounded up to
// kPanelRound lines in memory; what lies beyond is never read.
#pragma once

#include <cstdint>

namespace octavo::gemm {

inline constexpr std::int64_t kPanelRound = 16;
// Between panels: a line more than they need, so that not all of them begin in the same set of a cache.
inline std::int64_t panel_stride(std::int64_t width, std::int64_t k) {
  return ((k + kPanelRound - 1) / kPanelRound * kPanelRound + 1) * width;
}

// `count` rows or columns of an operand, `used` to a panel, over k terms of it.
struct PanelSource {
  const float* from;
  std::int64_t stride;
  std::int64_t count, used;
  std::int64_t k;
};

// C[rows, columns] = alpha * strip * panels + beta * C; C is not read where beta is 0.
struct SgemmTile {
  const float* strip;
  const float* left;
  const float* right;          // the panel beside it; read even where columns <= width
  const float* next;           // k floats that will be needed soon, perhaps; only fetched
  std::int64_t rows, columns;  // 1 to SgemmKernel::rows, 1 to 2 * width
  std::int64_t k;
  float* c;
  std::int64_t ldc;
  float alpha, beta;
};

struct SgemmKernel {
  std::int64_t rows;   // of a strip
  std::int64_t width;  // of a panel
  // Panels, `apart` floats from each other. `along`: the operand is `count` runs of k terms, `stride` apart, which have
  // to be turned; `across`: it is k lines of `count` values, `stride` apart.
  void (*pack_along)(const PanelSource& source, float* panels, std::int64_t apart);
  void (*pack_across)(const PanelSource& source, float* panels, std::int64_t apart);
  void (*multiply)(const SgemmTile&);
};

extern const SgemmKernel kSgemmAvx512;
extern const SgemmKernel kSgemmAvx2;  // and FMA
extern const SgemmKernel kSgemmPortable;

}  // namespace octavo::gemm
