#include "prepared_rows.hpp"

#include <algorithm>

#include "float_rows.hpp"

namespace octavo::gemm {

namespace {

// A strip of rows of x.
struct Strip {
  const float* x;
  std::int64_t rows, k, steps;
  std::byte* to;
};

template <class T>
T* own(std::int64_t count) {
  return scratch<T>(Purpose::widened, static_cast<std::size_t>(count));
}

void rounded(const TileKernel& kernel, RowForm form, const Strip& s) {
  const auto lines = form == RowForm::three_bf16 ? lines_of_three_bf16 : lines_of_bf16;
  if (!kernel.interleaved) return lines(s.x, s.k, s.rows, s.k, reinterpret_cast<std::uint16_t*>(s.to));
  auto* rows = own<std::uint16_t>(s.rows * s.steps * kBf16Line);
  for (std::int64_t r = 0; r < s.rows; ++r) lines(s.x + r * s.k, s.k, 1, s.k, rows + r * s.steps * kBf16Line);
  interleave_rows(rows, s.steps * kStepBytes, s.rows, s.k * 2, 0, s.to);
}

void digits(const TileKernel& kernel, const Strip& s, FixedRow* fixed) {
  const std::int64_t apart = s.rows * kFixedStep;
  std::byte* lines = kernel.interleaved ? own<std::byte>(s.steps * apart) : s.to;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    auto* to = reinterpret_cast<std::int8_t*>(lines + r * kFixedStep);
    fixed[r] = kFixedAvx512Vnni.fix(s.x + r * s.k, s.k, to, apart);
    for (std::int64_t step = 0; fixed[r].step == 0 && step < s.steps; ++step)
      std::fill_n(to + step * apart, kFixedStep, std::int8_t{0});
  }
  if (!kernel.interleaved) return;
  for (std::int64_t step = 0; step < s.steps; ++step)
    interleave_rows(lines + step * apart, kFixedLine, s.rows * kFixedDigits, kFixedLine, 0, s.to + step * apart);
}

}  // namespace

PreparedFloats prepare_floats(const TileKernel& kernel, RowForm form, std::int64_t steps, const float* x,
                              std::int64_t count, std::int64_t k) {
  const std::int64_t most = kernel.rows / kernel_rows_of(form), strips = (count + most - 1) / most;
  const std::int64_t stride = kernel.rows * kernel.parts * steps * kStepBytes;
  const std::int64_t fixed_bytes =
      form == RowForm::digits ? count * static_cast<std::int64_t>(sizeof(FixedRow)) : std::int64_t{0};
  auto* to = scratch<std::byte>(Purpose::rows, static_cast<std::size_t>(strips * stride + fixed_bytes));
  auto* fixed = form == RowForm::digits ? reinterpret_cast<FixedRow*>(to + strips * stride) : nullptr;
  parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / stride), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i * most;
      const Strip strip{x + first * k, std::min(most, count - first), k, steps, to + i * stride};
      if (form == RowForm::digits)
        digits(kernel, strip, fixed + first);
      else if (form == RowForm::f32)
        interleave_rows(strip.x, k * 4, strip.rows, k * 4, 0, strip.to);
      else
        rounded(kernel, form, strip);
    }
  });
  return {{to, stride}, fixed};
}

}  // namespace octavo::gemm
