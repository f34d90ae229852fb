#include "fixed_point.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "backend.hpp"
#include "cpu.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

constexpr float kLargest = 127.0F * 16777216.0F;  // four digits hold at least this
constexpr float kLeastMax = 0x1p-90F;             // below, the step's inverse would leave float32's range

const FixedKernel* fixed_kernel(FloatEngine engine) {
  if (engine >= FloatEngine::avx512 && has_avx512_vnni()) return &kFixedAvx512Vnni;
  return engine >= FloatEngine::avx2 && has_avx_vnni() ? &kFixedAvxVnni : nullptr;
}

}  // namespace

FixedRow fixed_row_of(float largest, const std::int8_t* digits, float& power) {
  FixedRow row{digits, 0, {}};
  if (!std::isfinite(largest) || (largest < kLeastMax && largest > 0)) return row;
  int exponent = 0;  // largest < 2^exponent
  static_cast<void>(std::frexp(largest, &exponent));
  int shift = largest > 0 ? 31 - exponent : 0;
  if (std::ldexp(largest, shift) > kLargest) --shift;
  row.step = std::ldexp(1.0F, -shift);
  power = std::ldexp(1.0F, shift);
  return row;
}

FixedRow fix_row_plain(const float* x, std::int64_t k, std::int8_t* digits, std::int64_t apart) {
  std::uint32_t largest = 0;  // magnitudes are ordered as integers; NaN are above infinity
  for (std::int64_t i = 0; i < k; ++i) largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffU);
  float power = 0;
  FixedRow row = fixed_row_of(std::bit_cast<float>(largest), digits, power);
  if (row.step == 0) return row;
  std::int32_t totals[kFixedDigits] = {};
  for (std::int64_t i = 0; i < fixed_row_bytes(k) / kFixedDigits; ++i) {
    std::int64_t rest = i < k ? std::lrint(x[i] * power) : 0;
    std::int8_t* to = digits + i / kFixedLine * apart + i % kFixedLine;
    for (std::int64_t d = 0; d < kFixedDigits; ++d) {  // the lowest byte, in [-128, 127]; what is left is a multiple
      const auto digit = static_cast<std::int8_t>(rest);
      to[d * kFixedLine] = digit;
      totals[d] += digit;
      rest = (rest + 128) >> 8;
    }
  }
  for (std::int64_t d = 0; d < kFixedDigits; ++d) row.start[d] = -128 * totals[d];
  return row;
}

FewRows::FewRows(const FloatProduct& product, FloatEngine engine)
    : p_(product),
      stream_(engine >= FloatEngine::avx512 ? stream_rows_avx512 : stream_rows_avx2),
      kernel_(fixed_kernel(engine)) {
  if (kernel_ == nullptr || p_.dtype != DType::s8 || p_.k > kMaxInFeatures) return;
  auto* digits = scratch<std::int8_t>(Purpose::rows, static_cast<std::size_t>(p_.m * fixed_row_bytes(p_.k)));
  for (std::int64_t r = 0; r < p_.m; ++r) {
    FixedRow& row = rows_[static_cast<std::size_t>(r)];
    row = kernel_->fix(p_.x + r * p_.k, p_.k, digits + r * fixed_row_bytes(p_.k), kFixedStep);
    fixed_ = fixed_ || row.step > 0;
  }
}

void FewRows::stream(std::int64_t first, std::int64_t count) const {
  if (!fixed_) return stream_(p_, first, count);
  const auto* weight = static_cast<const std::int8_t*>(p_.weight);
  const auto multiply = [&](std::int64_t column, std::int64_t apart, std::int64_t some) {
    for (std::int64_t r = 0; r < p_.m; ++r)  // the weights stay in the first cache for all rows of x
      if (const FixedRow& row = rows_[static_cast<std::size_t>(r)]; row.step > 0)
        kernel_->multiply(row, weight + column * p_.k, p_.k, apart, some, p_.y + r * p_.n + column);
  };
  // As many streams as rows are multiplied together, each of a part from one end to the other: what memory gives
  // fastest.
  const std::int64_t together = kernel_->rows_together, part = count / together;
  for (std::int64_t j = 0; j < part; ++j) multiply(first + j, part, together);
  if (const std::int64_t rest = count % together; rest > 0) multiply(first + count - rest, 1, rest);
  for (std::int64_t r = 0; r < p_.m; ++r)
    if (rows_[static_cast<std::size_t>(r)].step == 0) stream_(row_of(p_, r), first, count);
}

}  // namespace octavo::gemm
