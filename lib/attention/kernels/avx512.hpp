// AVX-512 as loops.hpp describes an instruction set. Included by files that are compiled with it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace octavo::attention_kernels {

namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr int kLanes = 16, kRows = 8, kVectors = 3;  // 24 of 32 registers are sums

  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
  static Vector broadcast(float value) { return _mm512_set1_ps(value); }
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static float multiply_add_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static Vector larger(Vector x, Vector kept) { return _mm512_max_ps(x, kept); }  // the second operand for NaN
  static float largest_of(Vector v) { return _mm512_reduce_max_ps(v); }
  static Vector power_of_two(Vector shifted) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3F800000)));
  }
  static Vector zero_below(Vector y, Vector x, Vector bound) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, bound, _CMP_NLT_UQ), y);
  }

  static Vector widen(const std::uint16_t* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static Vector widen(const std::int8_t* from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
  }

  // Four columns of rows r, r + 4, r + 8 and r + 12 in the quarters of one register.
  static Vector quarters(const float* const* rows, int r, std::int64_t c) {
    Vector v = _mm512_castps128_ps512(_mm_loadu_ps(rows[r] + c));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[r + 4] + c), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[r + 8] + c), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(rows[r + 12] + c), 3);
  }
  static void transpose(const float* const* rows, std::int64_t c, float* to, float scale) {
    const Vector v0 = quarters(rows, 0, c), v1 = quarters(rows, 1, c);
    const Vector v2 = quarters(rows, 2, c), v3 = quarters(rows, 3, c);
    const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(v0, v1));
    const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(v2, v3));
    const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(v0, v1));
    const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(v2, v3));
    const Vector factor = broadcast(scale);
    float* out = to + c * kLanes;
    store(out, multiply(factor, _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23))));
    store(out + 16, multiply(factor, _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23))));
    store(out + 32, multiply(factor, _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23))));
    store(out + 48, multiply(factor, _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23))));
  }
};

}  // namespace

}  // namespace octavo::attention_kernels
