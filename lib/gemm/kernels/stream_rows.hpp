// Results on their way to memory past the caches.
#pragma once

#include <cstdint>

namespace octavo::gemm {

// Writes `rows` rows of `columns` floats, a multiple of 16, to rows that begin at multiples of 64 bytes: whole lines by
// stores that neither read them first nor leave them in a cache. `from` is aligned to 64 bytes and without gaps. Other
// threads may read `to` after end_streams of this thread. AVX512F.
void stream_rows(const float* from, std::int64_t rows, std::int64_t columns, float* to, std::int64_t to_stride);
void end_streams();

}  // namespace octavo::gemm
