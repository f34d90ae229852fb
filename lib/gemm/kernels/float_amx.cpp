// Products over bf16 weights by AMX: tdpbf16ps multiplies bf16 by bf16 into float32 sums. Such a product is exact in
// float32, and a float32 is the sum of three bf16 (8 + 8 + 8 bits of significand): three products give float32's
// precision at several times the speed of its own multiply-adds. Denormal operands and sums count as zero.
#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,prfchw,amx-tile,amx-bf16")))
#define OCTAVO_TILE_SUM float
#define OCTAVO_TILE_PRODUCT(sums, rows, weights) _tile_dpbf16ps(sums, rows, weights)
#include "amx_tiles.hpp"

namespace octavo::gemm {

#ifdef OCTAVO_AMX
const TileKernel kAmxThreePartsKernel{32, 3, false, 256, 8, multiply_tiles<3>, end_pending, release_tiles};
const TileKernel kAmxOnePartKernel{32, 1, false, 256, 16, multiply_tiles<1>, end_pending, release_tiles};
#else
const TileKernel kAmxThreePartsKernel{32, 3, false, 256, 8, nullptr};
const TileKernel kAmxOnePartKernel{32, 1, false, 256, 16, nullptr};
#endif

}  // namespace octavo::gemm
