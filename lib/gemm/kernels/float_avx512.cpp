// float32 products by AVX-512's multiply-add.
#include <cstring>

#include "float_strip.hpp"

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#include "word_tiles.hpp"

namespace octavo::gemm {

namespace {

#ifdef OCTAVO_X86

struct Step {
  using Sum = __m512;
  OCTAVO_TARGET static Sum zero() { return _mm512_setzero_ps(); }
  OCTAVO_TARGET static Sum load(const void* words) { return _mm512_loadu_ps(words); }
  OCTAVO_TARGET static void store(void* words, Sum sum) { _mm512_storeu_ps(words, sum); }
  OCTAVO_TARGET static Sum broadcast(const std::byte* word) {
    float value = 0;
    std::memcpy(&value, word, sizeof value);
    return _mm512_set1_ps(value);
  }
  OCTAVO_TARGET static void add(Sum& sum, Sum x, Sum w) { sum = _mm512_fmadd_ps(x, w, sum); }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return _mm512_add_ps(a, b); }
};

void strip(const FloatStrip& s) {
  for (std::int64_t panel = 0; panel < s.panels; panel += 2) {
    const std::byte* left = s.weights + panel * s.panel_stride;
    word_tile_of<Step>(s.rows, {.rows = s.a,
                                .left = left,
                                .right = panel + 1 < s.panels ? left + s.panel_stride : nullptr,
                                .words = s.steps * 16,
                                .out = s.sums + 16 * panel,
                                .out_stride = s.sums_stride,
                                .start = nullptr,
                                .add = s.add});
  }
}

#else

void strip(const FloatStrip&) {}
#endif

}  // namespace

// 64 steps are 1024 terms, 64 KiB to a panel.
const FloatKernel kAvx512FmaKernel{kInterleavedRows, RowForm::interleaved_f32, DType::f32, 64, strip};

}  // namespace octavo::gemm
