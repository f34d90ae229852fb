#include "float_rows.hpp"

#include <bit>

#include "octavo/detail/clones.hpp"

namespace octavo::gemm {

namespace {

constexpr std::uint32_t kInfinity = 0x7f800000U;

// To nearest, ties to even, in the upper half; a NaN stays one whose upper half says so.
inline std::uint32_t rounded(std::uint32_t bits) {
  const std::uint32_t nearest = (bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U;
  return (bits & 0x7fffffffU) > kInfinity ? (bits | 0x00400000U) & 0xffff0000U : nearest;
}

inline std::uint16_t upper(std::uint32_t bits) { return static_cast<std::uint16_t>(bits >> 16U); }

// What is not finite stays in the first part, in these as in the next.
[[gnu::always_inline]] inline void split_in_three(const float* x, std::int64_t count, std::uint16_t* to,
                                                  std::int64_t part) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    const std::uint32_t quiet = magnitude > kInfinity ? 0x00400000U : 0U;  // a NaN whose low bits alone say so
    const std::uint32_t high = (bits | quiet) & 0xffff0000U;
    const float rest = x[i] - std::bit_cast<float>(high);
    const std::uint32_t rest_bits = magnitude >= kInfinity ? 0U : std::bit_cast<std::uint32_t>(rest);
    const std::uint32_t middle = rest_bits & 0xffff0000U;
    const float low = std::bit_cast<float>(rest_bits) - std::bit_cast<float>(middle);
    to[i] = upper(high);
    to[part + i] = upper(middle);
    to[2 * part + i] = upper(std::bit_cast<std::uint32_t>(low));
  }
}

// A value that rounding would make infinite is cut instead, which leaves what the second part holds as well.
[[gnu::always_inline]] inline void split_in_two(const float* x, std::int64_t count, std::uint16_t* to,
                                                std::int64_t part) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const bool finite = (bits & kInfinity) != kInfinity;
    const std::uint32_t nearest = rounded(bits);
    const std::uint32_t high = finite && (nearest & kInfinity) == kInfinity ? bits & 0xffff0000U : nearest;
    const float rest = x[i] - std::bit_cast<float>(high);
    to[i] = upper(high);
    to[part + i] = upper(rounded(finite ? std::bit_cast<std::uint32_t>(rest) : 0U));
  }
}

[[gnu::always_inline]] inline void round_to_one(const float* x, std::int64_t count, std::uint16_t* to,
                                                std::int64_t /*part*/) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = upper(rounded(std::bit_cast<std::uint32_t>(x[i])));
}

using Convert = void (*)(const float*, std::int64_t, std::uint16_t*, std::int64_t);

// By the step, so that what is written is written in order. Whole lines apart from the rest, so that their loops are
// unrolled. Part of each clone below.
template <Convert convert, std::int64_t parts>
[[gnu::always_inline]] inline void lines_of(const float* x, std::int64_t row_stride, std::int64_t rows,
                                            std::int64_t count, std::uint16_t* to) {
  const std::int64_t part = rows * kBf16Line;
  for (std::int64_t i = 0; i < count; i += kBf16Line, to += parts * part)
    for (std::int64_t r = 0; r < rows; ++r)
      if (i + kBf16Line <= count)
        convert(x + r * row_stride + i, kBf16Line, to + r * kBf16Line, part);
      else
        convert(x + r * row_stride + i, count - i, to + r * kBf16Line, part);
}

}  // namespace

OCTAVO_CLONES void lines_of_floats(RowForm form, const float* x, std::int64_t row_stride, std::int64_t rows,
                                   std::int64_t count, std::uint16_t* to) {
  if (form == RowForm::three_bf16) return lines_of<split_in_three, 3>(x, row_stride, rows, count, to);
  if (form == RowForm::two_bf16) return lines_of<split_in_two, 2>(x, row_stride, rows, count, to);
  lines_of<round_to_one, 1>(x, row_stride, rows, count, to);
}

}  // namespace octavo::gemm
