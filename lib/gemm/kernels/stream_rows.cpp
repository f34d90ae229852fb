#include "stream_rows.hpp"

#include "cpu.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

__attribute__((target("avx512f"))) void stream_rows(const float* from, std::int64_t rows, std::int64_t columns,
                                                    float* to, std::int64_t to_stride) {
  for (std::int64_t row = 0; row < rows; ++row, from += columns, to += to_stride)
    for (std::int64_t j = 0; j < columns; j += 16) _mm512_stream_ps(to + j, _mm512_load_ps(from + j));
}

void end_streams() { _mm_sfence(); }

#else

void stream_rows(const float*, std::int64_t, std::int64_t, float*, std::int64_t) {}
void end_streams() {}

#endif

}  // namespace octavo::gemm
