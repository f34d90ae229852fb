/// The factor that GPTQ sweeps with: upper triangular F with F F^T = A.
#pragma once

#include <cstdint>

namespace octavo::quant {

/// Overwrites a[n,n] (float32, row-major, only the lower triangle is read) with its Cholesky factor L, A = L L^T; what
/// lies above the diagonal is left undefined. False when a pivot is not positive: `a` is then garbage.
///
/// Blocked and in place: about 1/3 n^3 operations in sgemm, diagonal blocks of 256 in float64, so that for n <= 256
/// all of it is float64.
bool cholesky(float* a, std::int64_t n);

/// a[i,j] <- a[n-1-i,n-1-j]: J a J. With J A J = L L^T, F = J L J.
void mirror(float* a, std::int64_t n);

}  // namespace octavo::quant
