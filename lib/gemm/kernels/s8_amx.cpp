// int8 products by AMX: tdpbssd multiplies signed by signed bytes and adds modulo 2^32, so that the end is exact
// whenever it fits into int32.
#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,prfchw,amx-tile,amx-int8")))
#define OCTAVO_TILE_SUM std::int32_t
#define OCTAVO_TILE_PRODUCT(sums, rows, weights) _tile_dpbssd(sums, rows, weights)
#include "amx_tiles.hpp"

namespace octavo::gemm {

#ifdef OCTAVO_AMX
const TileKernel kAmxInt8Kernel{32, 1, false, 256, 16, multiply_tiles<1>, end_pending, release_tiles};
#else
const TileKernel kAmxInt8Kernel{32, 1, false, 256, 16, nullptr};
#endif

}  // namespace octavo::gemm
