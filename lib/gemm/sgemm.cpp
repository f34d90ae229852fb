#include "backend.hpp"

namespace octavo {

void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
           std::int64_t ldb, float* c, std::int64_t ldc, const SgemmOptions& options) {
  if (m < 0 || n < 0 || k < 0)
    throw Error(ErrorCode::invalid_argument, "sgemm: sizes must not be negative: m " + std::to_string(m) + ", n " +
                                                 std::to_string(n) + ", k " + std::to_string(k));
  const auto leading = [](const char* name, std::int64_t given, std::int64_t least) {
    if (given < least)
      throw Error(ErrorCode::shape_mismatch, std::string("sgemm: the leading dimension of ") + name + " is " +
                                                 std::to_string(given) + ", its rows are " + std::to_string(least) +
                                                 " long");
  };
  if (m == 0 || n == 0) return;
  leading("a", lda, options.transpose_a ? m : k);
  leading("b", ldb, options.transpose_b ? k : n);
  leading("c", ldc, n);
  if (k == 0) {  // oneDNN leaves C alone then
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = options.beta == 0 ? 0 : options.beta * c[i * ldc + j];
    return;
  }
  const int status = gemm::onednn_sgemm(m, n, k, a, lda, b, ldb, c, ldc, options);
  if (status != 0)
    throw Error(ErrorCode::internal, "sgemm: oneDNN refused m " + std::to_string(m) + ", n " + std::to_string(n) +
                                         ", k " + std::to_string(k) + " with status " + std::to_string(status));
}

}  // namespace octavo
