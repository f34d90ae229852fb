#include "fixed_point.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "backend.hpp"
#include "cpu.hpp"
#include "scratch.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_X86

#define OCTAVO_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

namespace {

constexpr std::int64_t kLine = 64;
constexpr std::int64_t kRowsTogether = 4;         // of the weight: 16 sums, which fill half the registers
constexpr std::int64_t kAhead = 2048;             // bytes of each stream that are fetched in advance: some 500 ns
constexpr float kLargest = 127.0F * 16777216.0F;  // four digits hold at least this
constexpr float kLeastMax = 0x1p-90F;             // below, the step's inverse would leave float32's range

OCTAVO_TARGET inline __mmask16 mask_of(std::int64_t left) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(std::clamp<std::int64_t>(left, 0, 16))) - 1);
}

OCTAVO_TARGET float largest_of(const float* x, std::int64_t k) {
  __m512i largest = _mm512_setzero_si512();  // magnitudes are ordered as integers; NaN are above infinity
  for (std::int64_t i = 0; i < k; i += 16) {
    const __m512 values = _mm512_maskz_loadu_ps(mask_of(k - i), x + i);
    largest = _mm512_max_epu32(largest, _mm512_castps_si512(_mm512_abs_ps(values)));
  }
  return std::bit_cast<float>(_mm512_reduce_max_epu32(largest));
}

// The sums of the 16 lanes of each: [row][digit].
OCTAVO_TARGET inline __m512i sums_of(const __m512i (&sums)[kRowsTogether][kFixedDigits]) {
  __m512i rows[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512i first =
        _mm512_add_epi32(_mm512_unpacklo_epi32(sums[r][0], sums[r][1]), _mm512_unpackhi_epi32(sums[r][0], sums[r][1]));
    const __m512i second =
        _mm512_add_epi32(_mm512_unpacklo_epi32(sums[r][2], sums[r][3]), _mm512_unpackhi_epi32(sums[r][2], sums[r][3]));
    rows[r] = _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
  }
  const __m512i low =
      _mm512_add_epi32(_mm512_shuffle_i32x4(rows[0], rows[1], 0x44), _mm512_shuffle_i32x4(rows[0], rows[1], 0xee));
  const __m512i high =
      _mm512_add_epi32(_mm512_shuffle_i32x4(rows[2], rows[3], 0x44), _mm512_shuffle_i32x4(rows[2], rows[3], 0xee));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, 0x88), _mm512_shuffle_i32x4(low, high, 0xdd));
}

// `count` <= 4 rows of the weight, `apart` rows from each other; those that are missing repeat the last.
//
// vpdpbusd multiplies unsigned by signed: the weights are offset by 128, which `start` takes out again. Not the
// intrinsic: GCC 12 copies the sums back and forth around it. They stay in registers as long as nothing but unrolled
// loops of this function names them.
OCTAVO_TARGET void four_rows(const FixedRow& x, const std::int8_t* weight, std::int64_t k, std::int64_t apart,
                             std::int64_t count, float* y) {
  const std::int8_t* w[kRowsTogether];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r) w[r] = weight + (r < count ? r : count - 1) * apart * k;
  __m512i sums[kRowsTogether][kFixedDigits];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r)
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) sums[r][d] = _mm512_setzero_si512();
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const std::int8_t* digits = x.digits;
  for (std::int64_t i = 0; i < k; i += kLine, digits += kFixedDigits * kLine) {
    const __mmask64 mask = k - i >= kLine ? ~0ULL : (1ULL << static_cast<unsigned>(k - i)) - 1;
    __m512i weights[kRowsTogether];
#pragma GCC unroll 4
    for (int r = 0; r < kRowsTogether; ++r) {
      _mm_prefetch(reinterpret_cast<const char*>(w[r] + i + kAhead), _MM_HINT_T1);
      weights[r] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, w[r] + i), flip);
    }
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) {
      const __m512i digit = _mm512_load_si512(digits + d * kLine);
#pragma GCC unroll 4
      for (int r = 0; r < kRowsTogether; ++r)
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sums[r][d]) : "v"(weights[r]), "v"(digit));
    }
  }
  __m512i complete[kRowsTogether][kFixedDigits];
#pragma GCC unroll 4
  for (int r = 0; r < kRowsTogether; ++r)
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) complete[r][d] = sums[r][d];
  const __m512i start = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x.start)));
  alignas(64) std::int32_t of_digits[kRowsTogether][kFixedDigits];
  _mm512_store_si512(of_digits, _mm512_add_epi32(sums_of(complete), start));
  for (std::int64_t r = 0; r < count; ++r) {
    std::int64_t sum = 0;  // below 2^31 * 2^25
    for (std::int64_t d = kFixedDigits - 1; d >= 0; --d) sum = sum * 256 + of_digits[r][d];
    y[r * apart] = static_cast<float>(sum) * x.step;
  }
}

}  // namespace

OCTAVO_TARGET FixedRow fix_row(const float* x, std::int64_t k, std::int8_t* digits) {
  FixedRow row{digits, 0, {}};
  const float largest = largest_of(x, k);
  if (!std::isfinite(largest) || (largest < kLeastMax && largest > 0)) return row;
  int exponent = 0;  // largest < 2^exponent
  static_cast<void>(std::frexp(largest, &exponent));
  int shift = largest > 0 ? 31 - exponent : 0;
  if (std::ldexp(largest, shift) > kLargest) --shift;
  row.step = std::ldexp(1.0F, -shift);
  const __m512 inverse = _mm512_set1_ps(std::ldexp(1.0F, shift));
  const __m512i half = _mm512_set1_epi32(128);
  __m512i totals[kFixedDigits];
  for (__m512i& total : totals) total = _mm512_setzero_si512();
  for (std::int64_t i = 0; i < fixed_row_bytes(k) / kFixedDigits; i += 16) {
    const __m512 values = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask_of(k - i), x + i), inverse);
    __m512i rest = _mm512_cvt_roundps_epi32(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    std::int8_t* to = digits + i / kLine * kLine * kFixedDigits + i % kLine;
#pragma GCC unroll 4
    for (int d = 0; d < kFixedDigits; ++d) {  // the lowest byte is a digit in [-128, 127]; what is left is a multiple
      const __m128i digit = _mm512_cvtepi32_epi8(rest);
      _mm_store_si128(reinterpret_cast<__m128i*>(to + d * kLine), digit);
      totals[d] = _mm512_add_epi32(totals[d], _mm512_cvtepi8_epi32(digit));
      rest = _mm512_srai_epi32(_mm512_add_epi32(rest, half), 8);
    }
  }
  for (std::int64_t d = 0; d < kFixedDigits; ++d) row.start[d] = -128 * _mm512_reduce_add_epi32(totals[d]);
  return row;
}

#else

FixedRow fix_row(const float*, std::int64_t, std::int8_t* digits) { return {digits, 0, {}}; }

#endif

FloatProduct FewRows::row(std::int64_t index) const {
  FloatProduct one = p_;
  one.x += index * p_.k;
  one.y += index * p_.n;
  one.m = 1;
  return one;
}

FewRows::FewRows(const FloatProduct& product) : p_(product) {
  if (p_.dtype != DType::s8 || p_.k > kMaxInFeatures || !has_avx512_vnni()) return;
  auto* digits = scratch<std::int8_t>(Purpose::rows, static_cast<std::size_t>(p_.m * fixed_row_bytes(p_.k)));
  for (std::int64_t r = 0; r < p_.m; ++r) {
    FixedRow& row = rows_[static_cast<std::size_t>(r)];
    row = fix_row(p_.x + r * p_.k, p_.k, digits + r * fixed_row_bytes(p_.k));
    fixed_ = fixed_ || row.step > 0;
  }
}

void FewRows::stream(std::int64_t first, std::int64_t count) const {
  if (!fixed_) return stream_rows_avx512(p_, first, count);
#ifdef OCTAVO_X86
  const auto* weight = static_cast<const std::int8_t*>(p_.weight);
  const auto four = [&](std::int64_t column, std::int64_t apart, std::int64_t rows_together) {
    for (std::int64_t r = 0; r < p_.m; ++r)  // the weights stay in the first cache for all rows of x
      if (const FixedRow& row = rows_[static_cast<std::size_t>(r)]; row.step > 0)
        four_rows(row, weight + column * p_.k, p_.k, apart, rows_together, p_.y + r * p_.n + column);
  };
  // Four streams, each from one end of a quarter to the other: what memory gives fastest.
  const std::int64_t quarter = count / kRowsTogether;
  for (std::int64_t j = 0; j < quarter; ++j) four(first + j, quarter, kRowsTogether);
  if (const std::int64_t rest = count % kRowsTogether; rest > 0) four(first + count - rest, 1, rest);
#endif
  for (std::int64_t r = 0; r < p_.m; ++r)
    if (rows_[static_cast<std::size_t>(r)].step == 0) stream_rows_avx512(row(r), first, count);
}

}  // namespace octavo::gemm
