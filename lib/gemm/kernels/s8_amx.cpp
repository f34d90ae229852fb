// int8 products by AMX: tdpbssd multiplies 16 rows of 64 bytes by 16 columns of 64 bytes into 16 x 16 sums, signed by
// signed, modulo 2^32.
#include "cpu.hpp"
#include "s8_strip.hpp"
#include "tile_config.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_AMX

#define OCTAVO_TARGET __attribute__((target("amx-tile,amx-int8")))

// Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights. 32 rows by two panels: four products for four loads.
OCTAVO_TARGET void two_by_two(const S8Strip& s, std::int64_t panel) {
  const std::int8_t* b = s.weights + panel * s.panel_stride;
  std::int32_t* c = s.sums + 16 * panel;
  const std::int64_t c_bytes = s.sums_stride * 4;
  if (s.add) {
    _tile_loadd(0, c, c_bytes);
    _tile_loadd(1, c + 16, c_bytes);
    _tile_loadd(2, c + 16 * s.sums_stride, c_bytes);
    _tile_loadd(3, c + 16 * s.sums_stride + 16, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::int8_t* a = s.a;
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, s.a_stride);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(7, b + s.panel_stride, 64);
    _tile_dpbssd(1, 4, 7);
    _tile_loadd(5, a + 16 * s.a_stride, s.a_stride);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
    a += 64;
    b += 1024;
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 16 * s.sums_stride, c_bytes);
  _tile_stored(3, c + 16 * s.sums_stride + 16, c_bytes);
}

// 32 rows by one panel.
OCTAVO_TARGET void two_by_one(const S8Strip& s, std::int64_t panel) {
  const std::int8_t* b = s.weights + panel * s.panel_stride;
  std::int32_t* c = s.sums + 16 * panel;
  const std::int64_t c_bytes = s.sums_stride * 4;
  if (s.add) {
    _tile_loadd(0, c, c_bytes);
    _tile_loadd(2, c + 16 * s.sums_stride, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(2);
  }
  const std::int8_t* a = s.a;
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, s.a_stride);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(5, a + 16 * s.a_stride, s.a_stride);
    _tile_dpbssd(2, 5, 6);
    a += 64;
    b += 1024;
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(2, c + 16 * s.sums_stride, c_bytes);
}

// Up to 16 rows by four panels: as many sums under way as the instruction's latency asks for.
OCTAVO_TARGET void one_by_four(const S8Strip& s, std::int64_t panel) {
  const std::int8_t* b = s.weights + panel * s.panel_stride;
  std::int32_t* c = s.sums + 16 * panel;
  const std::int64_t c_bytes = s.sums_stride * 4;
  if (s.add) {
    _tile_loadd(0, c, c_bytes);
    _tile_loadd(1, c + 16, c_bytes);
    _tile_loadd(2, c + 32, c_bytes);
    _tile_loadd(3, c + 48, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::int8_t* a = s.a;
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(4, a, s.a_stride);
    _tile_loadd(6, b, 64);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(7, b + s.panel_stride, 64);
    _tile_dpbssd(1, 4, 7);
    _tile_loadd(6, b + 2 * s.panel_stride, 64);
    _tile_dpbssd(2, 4, 6);
    _tile_loadd(7, b + 3 * s.panel_stride, 64);
    _tile_dpbssd(3, 4, 7);
    a += 64;
    b += 1024;
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 32, c_bytes);
  _tile_stored(3, c + 48, c_bytes);
}

OCTAVO_TARGET void one_by_one(const S8Strip& s, std::int64_t panel) {
  const std::int8_t* b = s.weights + panel * s.panel_stride;
  std::int32_t* c = s.sums + 16 * panel;
  if (s.add)
    _tile_loadd(0, c, s.sums_stride * 4);
  else
    _tile_zero(0);
  const std::int8_t* a = s.a;
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(4, a, s.a_stride);
    _tile_loadd(6, b, 64);
    _tile_dpbssd(0, 4, 6);
    a += 64;
    b += 1024;
  }
  _tile_stored(0, c, s.sums_stride * 4);
}

void strip(const S8Strip& s) {
  const TileConfig config(s.rows);
  std::int64_t panel = 0;
  if (s.rows > 16) {
    for (; panel + 2 <= s.panels; panel += 2) two_by_two(s, panel);
    if (panel < s.panels) two_by_one(s, panel);
  } else {
    for (; panel + 4 <= s.panels; panel += 4) one_by_four(s, panel);
    for (; panel < s.panels; ++panel) one_by_one(s, panel);
  }
}

#else

void strip(const S8Strip&) {}

#endif

}  // namespace

// 48 steps are 3072 terms: 12 panels of them take a quarter of a second cache of 2 MiB.
const S8Kernel kAmxInt8Kernel{32, false, 48, strip};

}  // namespace octavo::gemm
