#include "float_panels.hpp"

#include <algorithm>

#include "cpu.hpp"
#include "tile_loops.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace {

// Lines of [16][4] bytes become [4][16].
OCTAVO_TARGET void bytes_by_term(std::byte* panel, std::int64_t size_bytes) {
  const __m512i in_quarter =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::byte* line = panel; line < panel + size_bytes; line += 64)
    _mm512_store_si512(line,
                       _mm512_permutexvar_epi32(quarters, _mm512_shuffle_epi8(_mm512_load_si512(line), in_quarter)));
}

// The bits of sixteen floats of as many bytes: a bf16 each, the lower half is 0.
OCTAVO_TARGET inline __m512i widened(const std::byte* bytes) {
  const __m128i sixteen = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
  return _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen)));
}

}  // namespace

OCTAVO_TARGET void widen_panel(const std::byte* panel, std::int64_t first, std::int64_t steps, std::byte* to) {
  const std::byte* from = panel + first * kPanelStep / 2;
  for (std::int64_t line = 0; line < steps * 16; ++line, from += 32, to += 64)
    _mm512_store_si512(to, _mm512_or_si512(_mm512_srli_epi32(widened(from), 16), widened(from + 16)));
}

#else

namespace {
void bytes_by_term(std::byte*, std::int64_t) {}
}  // namespace
void widen_panel(const std::byte*, std::int64_t, std::int64_t, std::byte*) {}

#endif

FloatPanels::FloatPanels(const void* weight, DType dtype, std::int64_t n, std::int64_t k) : dtype_(dtype) {
  const std::int64_t row_bytes = k * static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t panels = (n + kPanelColumns - 1) / kPanelColumns;
  stride_ = panel_bytes(row_bytes);
  size_bytes_ = static_cast<std::size_t>(panels * stride_);
  memory_ = aligned_bytes(size_bytes_);
  parallel_for(panels, std::max<std::int64_t>(1, kWorthAThread / stride_), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel) {
      std::byte* to = memory_.get() + panel * stride_;
      pack_panel(static_cast<const std::byte*>(weight) + panel * kPanelColumns * row_bytes, row_bytes,
                 std::min(kPanelColumns, n - panel * kPanelColumns), row_bytes, to);
      if (dtype == DType::s8) bytes_by_term(to, stride_);
    }
  });
}

}  // namespace octavo::gemm
