#include "kernels.hpp"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#include "loops.hpp"

namespace octavo::attention_kernels {

namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr int kLanes = 8, kRows = 4, kVectors = 3;  // 12 of 16 registers are sums

  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
  static Vector broadcast(float value) { return _mm256_set1_ps(value); }
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static float multiply_add_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static Vector larger(Vector x, Vector kept) { return _mm256_max_ps(x, kept); }  // the second operand for NaN
  static float largest_of(Vector v) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  static Vector power_of_two(Vector shifted) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3F800000)));
  }
  static Vector zero_below(Vector y, Vector x, Vector bound) {
    return _mm256_and_ps(_mm256_cmp_ps(x, bound, _CMP_NLT_UQ), y);
  }

  static Vector widen(const std::uint16_t* from) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  static Vector widen(const std::int8_t* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
  }

  // Four columns of rows r and r + 4 in the halves of one register.
  static Vector halves(const float* const* rows, int r, std::int64_t c) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[r] + c)), _mm_loadu_ps(rows[r + 4] + c), 1);
  }
  static void transpose(const float* const* rows, std::int64_t c, float* to, float scale) {
    const Vector v0 = halves(rows, 0, c), v1 = halves(rows, 1, c), v2 = halves(rows, 2, c), v3 = halves(rows, 3, c);
    const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(v0, v1));
    const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(v2, v3));
    const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(v0, v1));
    const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(v2, v3));
    const Vector factor = broadcast(scale);
    float* out = to + c * kLanes;
    store(out, multiply(factor, _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23))));
    store(out + 8, multiply(factor, _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23))));
    store(out + 16, multiply(factor, _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23))));
    store(out + 24, multiply(factor, _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23))));
  }
};

constexpr Kernels kTable = table<Avx2>("avx2");

}  // namespace

const Kernels* avx2_kernels() noexcept { return &kTable; }

}  // namespace octavo::attention_kernels

#else

namespace octavo::attention_kernels {
const Kernels* avx2_kernels() noexcept { return nullptr; }
}  // namespace octavo::attention_kernels

#endif
