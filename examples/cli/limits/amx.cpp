// Tiles of 16 rows and 64 bytes: four products at a time, as blocks of 32 x 32 results take them. The operating system
// hands tiles out on request; the library has asked by the time it says that its AMX backends are available.
#include "kernels.hpp"

#ifdef OCTAVO_LIMITS_X86
#include <immintrin.h>

namespace limits {

namespace {

void begin() {
  alignas(64) std::uint8_t config[64] = {1};  // palette 1; 16 row lengths of 2 bytes from 16 on; 16 heights from 48 on
  for (int tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = 64;
    config[48 + tile] = 16;
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(config));  // GCC's intrinsic does not say that it reads all of it
  alignas(64) static const std::uint8_t zeros[1024] = {};
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

}  // namespace

void amx_int8(std::int64_t rounds) {
  begin();
  for (std::int64_t round = 0; round < rounds; ++round) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

void amx_bf16(std::int64_t rounds) {
  begin();
  for (std::int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

}  // namespace limits
#endif
