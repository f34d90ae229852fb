// Products over bf16 weights by AMX: tdpbf16ps multiplies 16 rows of 32 bf16 by 16 columns of 32 bf16 into 16 x 16
// float32 sums. A product of two bf16 is exact in float32, and a float32 is the sum of three bf16 (8 + 8 + 8 bits of
// significand): three products give float32's precision at five times the speed of its own multiply-adds. Denormal
// operands and sums count as zero.
#include "cpu.hpp"
#include "float_strip.hpp"
#include "tile_config.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_AMX

#define OCTAVO_TARGET __attribute__((target("amx-tile,amx-bf16")))

// Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights. 32 rows by two panels, which are read once for all parts.
template <int parts>
OCTAVO_TARGET void two_by_two(const FloatStrip& s, std::int64_t panel) {
  const std::byte* b = s.weights + panel * s.panel_stride;
  float* c = s.sums + 16 * panel;
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
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(6, b + step * 1024, 64);
    _tile_loadd(7, b + step * 1024 + s.panel_stride, 64);
    const std::byte* a = s.a + step * 64;
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_loadd(4, a, s.a_stride);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, a + 16 * s.a_stride, s.a_stride);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      a += s.part_stride;
    }
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 16 * s.sums_stride, c_bytes);
  _tile_stored(3, c + 16 * s.sums_stride + 16, c_bytes);
}

// One panel: the first 16 rows, and the others where there are any.
template <int parts>
OCTAVO_TARGET void by_one(const FloatStrip& s, std::int64_t panel) {
  const std::byte* b = s.weights + panel * s.panel_stride;
  float* c = s.sums + 16 * panel;
  const std::int64_t c_bytes = s.sums_stride * 4;
  const bool two = s.rows > 16;
  if (s.add) {
    _tile_loadd(0, c, c_bytes);
    if (two) _tile_loadd(2, c + 16 * s.sums_stride, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(2);
  }
  for (std::int64_t step = 0; step < s.steps; ++step) {
    _tile_loadd(6, b + step * 1024, 64);
    const std::byte* a = s.a + step * 64;
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_loadd(4, a, s.a_stride);
      _tile_dpbf16ps(0, 4, 6);
      if (two) {
        _tile_loadd(5, a + 16 * s.a_stride, s.a_stride);
        _tile_dpbf16ps(2, 5, 6);
      }
      a += s.part_stride;
    }
  }
  _tile_stored(0, c, c_bytes);
  if (two) _tile_stored(2, c + 16 * s.sums_stride, c_bytes);
}

// Up to 16 rows by four panels: as many sums under way as the instruction's latency asks for.
template <int parts>
OCTAVO_TARGET void one_by_four(const FloatStrip& s, std::int64_t panel) {
  const std::byte* b = s.weights + panel * s.panel_stride;
  float* c = s.sums + 16 * panel;
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
  for (std::int64_t step = 0; step < s.steps; ++step) {
    const std::byte* line = b + step * 1024;
    const std::byte* a = s.a + step * 64;
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
      _tile_loadd(4, a, s.a_stride);
      _tile_loadd(6, line, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, line + s.panel_stride, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(6, line + 2 * s.panel_stride, 64);
      _tile_dpbf16ps(2, 4, 6);
      _tile_loadd(7, line + 3 * s.panel_stride, 64);
      _tile_dpbf16ps(3, 4, 7);
      a += s.part_stride;
    }
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  _tile_stored(2, c + 32, c_bytes);
  _tile_stored(3, c + 48, c_bytes);
}

template <int parts>
void strip(const FloatStrip& s) {
  const TileConfig config(s.rows);
  std::int64_t panel = 0;
  if (s.rows > 16)
    for (; panel + 2 <= s.panels; panel += 2) two_by_two<parts>(s, panel);
  else
    for (; panel + 4 <= s.panels; panel += 4) one_by_four<parts>(s, panel);
  for (; panel < s.panels; ++panel) by_one<parts>(s, panel);
}

#else

template <int parts>
void strip(const FloatStrip&) {}

#endif

}  // namespace

// 32 steps are 1024 terms, 32 KiB to a panel.
const FloatKernel kAmxSplitKernel{32, RowForm::split_bf16, DType::bf16, 32, strip<3>};
const FloatKernel kAmxRoundedKernel{32, RowForm::rounded_bf16, DType::bf16, 64, strip<1>};

}  // namespace octavo::gemm
