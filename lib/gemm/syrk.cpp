#include <algorithm>

#include "kernels/syrk_bf16.hpp"
#include "octavo/gemm.hpp"

namespace octavo {

namespace {

// Rows of C per product: above the diagonal, only what lies in the diagonal blocks is computed.
constexpr std::int64_t kPanel = 512;

}  // namespace

void ssyrk(std::int64_t n, std::int64_t k, const float* x, std::int64_t ldx, float* c, std::int64_t ldc,
           FloatMath math) {
  if (n < 0 || k < 0)
    throw Error(ErrorCode::invalid_argument,
                "ssyrk: sizes must not be negative: n " + std::to_string(n) + ", k " + std::to_string(k));
  const auto leading = [&](const char* name, std::int64_t given) {
    if (given < n)
      throw Error(ErrorCode::shape_mismatch,
                  std::string("ssyrk: the leading dimension of ") + name + " is " + std::to_string(given) +
                      ", its rows are " + std::to_string(n) + " long",
                  ShapeDetail{"ssyrk", "", name, 1, "leading dimension", n, given});
  };
  if (n == 0 || k == 0) return;
  leading("x", ldx);
  leading("c", ldc);
  if (math == FloatMath::bf16 && gemm::syrk_bf16(n, k, x, ldx, c, ldc, gemm::chosen_float_engine())) return;
  for (std::int64_t begin = 0; begin < n; begin += kPanel) {
    const std::int64_t end = std::min(n, begin + kPanel);
    sgemm(end - begin, end, k, x + begin, ldx, x, ldx, c + begin * ldc, ldc, {.transpose_a = true, .beta = 1.0F});
  }
}

}  // namespace octavo
