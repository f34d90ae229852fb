// Sums of X^T X on units that multiply bf16.
#pragma once

#include <cstdint>

#include "float_product.hpp"

namespace octavo::gemm {

// The lower triangle of c[N,N] += x[K,N]^T x[K,N], x rounded to bf16. False, and nothing done, where the engine has no
// such unit. The order of every sum depends on K and the engine alone.
bool syrk_bf16(std::int64_t n, std::int64_t k, const float* x, std::int64_t ldx, float* c, std::int64_t ldc,
               FloatEngine engine);

}  // namespace octavo::gemm
