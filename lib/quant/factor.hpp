/// The factor that GPTQ sweeps with: upper triangular U with U^T U = A^{-1}.
#pragma once

#include <cstdint>

namespace octavo::quant {

/// Overwrites a[n,n] (float32, row-major, only the lower triangle is read) with L^{-1} of its Cholesky factor
/// A = L L^T; the strict upper triangle becomes 0. False when a pivot is not positive: `a` is then garbage.
///
/// Blocked and in place: about 2/3 n^3 operations in sgemm, diagonal blocks of 256 in float64, so that for n <= 256
/// all of it is float64.
bool invert_cholesky(float* a, std::int64_t n);

/// a[i,j] <- a[n-1-i,n-1-j]: J a J. With A = J H J, J L^{-1} J is the U of H: J H J = L L^T gives
/// H^{-1} = (J L^{-1} J)^T (J L^{-1} J).
void mirror(float* a, std::int64_t n);

}  // namespace octavo::quant
