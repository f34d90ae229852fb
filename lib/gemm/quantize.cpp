#include "quantize.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/panels.hpp"
#include "kernels/quantize_row.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

namespace octavo {

namespace gemm {

Strips::Strips(RowLayout layout, std::int64_t k)
    : rows(layout == RowLayout::plain   ? 1
           : layout == RowLayout::lines ? kLineRows
                                        : kInterleavedRows),
      stride(layout == RowLayout::plain        ? k
             : layout == RowLayout::lines      ? kLineRows * steps_of(k) * kStepBytes
             : layout == RowLayout::wide_words ? 2 * interleaved_bytes(k)
                                               : interleaved_bytes(k)) {}

void interleave_in(RowLayout layout, const std::int8_t* from, std::int64_t k, std::int64_t rows, std::byte* strip) {
  if (layout == RowLayout::wide_words) return interleave_wide_rows(from, k, rows, k, strip);
  interleave_rows(from, k, rows, k, 0x80, strip);
}

namespace {

constexpr std::int64_t kWorthAThread = 1 << 16;  // values of a part, some 10 us

// Quantizes one strip: of rows [first, first + count).
class StripOf {
 public:
  StripOf(const float* x, std::int64_t k, TokenScale mode, float* scales)
      : x_(x), k_(k), divisor_(mode == TokenScale::absmax_127 ? 127.0F : 127.5F), scales_(scales) {}

  void plain(std::int64_t first, std::byte* to) const { row(first, to, kStepBytes); }

  void lines(std::int64_t first, std::int64_t count, std::byte* to) const {
    const std::int64_t rest = k_ % kStepBytes;
    for (std::int64_t r = 0; r < count; ++r) {
      std::byte* line = to + r * kStepBytes;
      row(first + r, line, count * kStepBytes);
      if (rest != 0)
        std::memset(line + k_ / kStepBytes * count * kStepBytes + rest, 0, static_cast<std::size_t>(kStepBytes - rest));
    }
  }

  void words(RowLayout layout, std::int64_t first, std::int64_t count, std::byte* to) const {
    auto* rows = scratch<std::byte>(Purpose::strip, static_cast<std::size_t>(count * k_));
    for (std::int64_t r = 0; r < count; ++r) row(first + r, rows + r * k_, kStepBytes);
    interleave_in(layout, reinterpret_cast<const std::int8_t*>(rows), k_, count, to);
  }

 private:
  void row(std::int64_t index, std::byte* to, std::int64_t line_stride) const {
    if (!quantize_(x_ + index * k_, k_, divisor_, reinterpret_cast<std::int8_t*>(to), line_stride, scales_ + index))
      throw Error(ErrorCode::not_finite, "quantize_per_token: row " + std::to_string(index) +
                                             " of x holds NaN or infinity, which int8 cannot carry");
  }

  const float* x_;
  std::int64_t k_;
  float divisor_;
  float* scales_;
  QuantizeRow quantize_ = quantize_row();
};

}  // namespace

void quantize_rows(const float* x, std::int64_t m, std::int64_t k, TokenScale mode, RowLayout layout, std::byte* values,
                   float* scales) {
  const Strips strips(layout, k);
  const StripOf strip(x, k, mode, scales);
  parallel_for((m + strips.rows - 1) / strips.rows,
               std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, strips.rows * k)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t first = i * strips.rows;
                   const std::int64_t count = std::min(strips.rows, m - first);
                   std::byte* to = values + i * strips.stride;
                   if (layout == RowLayout::plain)
                     strip.plain(first, to);
                   else if (layout == RowLayout::lines)
                     strip.lines(first, count, to);
                   else
                     strip.words(layout, first, count, to);
                 }
               });
}

Int8Rows SharedRows::of(const Tensor& x, TokenScale mode, RowLayout layout) {
  if (rows_.values != nullptr && mode_ == mode && layout_ == layout) return rows_;
  const std::int64_t m = x.dim(0);
  const std::int64_t k = x.dim(1);
  const Strips strips(layout, k);
  const std::int64_t scale_bytes = (m * 4 + 63) / 64 * 64;
  auto* memory = scratch<std::byte>(Purpose::quantized, static_cast<std::size_t>(scale_bytes + strips.bytes(m)));
  auto* scales = reinterpret_cast<float*>(memory);
  quantize_rows(x.data<float>(), m, k, mode, layout, memory + scale_bytes, scales);
  mode_ = mode;
  layout_ = layout;
  return rows_ = {memory + scale_bytes, strips.stride, scales, m};
}

}  // namespace gemm

QuantizedRows quantize_per_token(const Tensor& x, TokenScale mode) {
  Binder binder(kQuantizePerTokenContract);
  binder.arg("x", x).check();
  const std::int64_t m = x.dim(0);
  const std::int64_t k = x.dim(1);
  QuantizedRows result{binder.output("q", DType::s8, {m, k}), binder.output("scale", DType::f32, {m})};
  if (!binder.has_data()) {
    binder.done({{"q", result.values}, {"scale", result.scales}});
    return result;
  }
  const Tensor rows = x.contiguous();
  gemm::quantize_rows(rows.data<float>(), m, k, mode, gemm::RowLayout::plain,
                      static_cast<std::byte*>(result.values.mutable_raw()), result.scales.mutable_data<float>());
  binder.done({{"q", result.values}, {"scale", result.scales}});
  return result;
}

}  // namespace octavo
