#include "float_product.hpp"

#include <algorithm>
#include <bit>

#include "blocks.hpp"
#include "clones.hpp"
#include "cpu.hpp"
#include "dot.hpp"
#include "float_strip.hpp"
#include "panels.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{1} << 19;  // of packed weights that stay in the second cache
constexpr std::int64_t kBlockPanels = 16;
constexpr std::int64_t kBlockRows = 480;  // whole strips of 12 and of 32

// x as three bf16: cutting float32's 24 bits of significand into 8 + 8 + 8 leaves no rest. What is not finite stays in
// the first.
OCTAVO_CLONES void split(const float* x, std::int64_t count, std::uint16_t* high, std::uint16_t* middle,
                         std::uint16_t* low) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    const std::uint32_t quiet = magnitude > 0x7f800000U ? 0x00400000U : 0U;  // a NaN whose low bits alone say so
    const std::uint32_t first = (bits | quiet) & 0xffff0000U;
    const float rest = x[i] - std::bit_cast<float>(first);
    const std::uint32_t rest_bits = magnitude >= 0x7f800000U ? 0U : std::bit_cast<std::uint32_t>(rest);
    const std::uint32_t second = rest_bits & 0xffff0000U;
    const float last = std::bit_cast<float>(rest_bits) - std::bit_cast<float>(second);
    high[i] = static_cast<std::uint16_t>(first >> 16U);
    middle[i] = static_cast<std::uint16_t>(second >> 16U);
    low[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(last) >> 16U);
  }
}

OCTAVO_CLONES void round_to_bf16(const float* x, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16U) & 1U);
    to[i] = static_cast<std::uint16_t>((nan ? bits | 0x00400000U : rounded) >> 16U);
  }
}

OCTAVO_CLONES void bytes_to_bf16(const std::int8_t* from, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i)  // exact: 8 bits of significand hold every byte
    to[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(from[i])) >> 16U);
}

OCTAVO_CLONES void finish(const float* sums, std::int64_t sums_stride, std::int64_t rows, std::int64_t columns,
                          const float* scale, const float* bias, float* y, std::int64_t y_stride) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* from = sums + i * sums_stride;
    float* to = y + i * y_stride;
    if (scale != nullptr && bias != nullptr)
      for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j] * scale[j] + bias[j];
    else if (scale != nullptr)
      for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j] * scale[j];
    else if (bias != nullptr)
      for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j] + bias[j];
    else
      std::copy_n(from, columns, to);
  }
}

const FloatKernel* kernel_for(DType weight, FloatMath math) {
  if (!has_avx512()) return nullptr;
  if ((weight == DType::bf16 || weight == DType::s8) && has_amx_bf16())
    return math == FloatMath::bf16 ? &kAmxRoundedKernel : &kAmxSplitKernel;
  return &kAvx512FmaKernel;
}

class TiledProduct {
 public:
  TiledProduct(const FloatProduct& product, const FloatKernel& kernel)
      : p_(product),
        kernel_(kernel),
        element_(static_cast<std::int64_t>(size_of(kernel.panels))),
        stride_(steps_of(p_.k * element_) * kStepBytes) {
    const std::int64_t steps = stride_ / kStepBytes;
    const std::int64_t cuts = (steps + kernel.max_steps - 1) / kernel.max_steps;
    cut_steps_ = (steps + cuts - 1) / cuts;
  }

  void run() const {
    const std::int64_t panel_cut_bytes = cut_steps_ * kStepBytes * kPanelColumns;
    const std::int64_t block_panels = std::clamp(kBlockBytes / panel_cut_bytes / 2 * 2, std::int64_t{4}, kBlockPanels);
    for (std::int64_t row = 0; row < p_.m; row += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, p_.m - row);
      const std::byte* a = prepare(row, rows);
      const Blocks blocks{.rows = rows,
                          .panels = (p_.n + kPanelColumns - 1) / kPanelColumns,
                          .block_rows = rows,
                          .block_panels = block_panels,
                          .pair_cost = stride_ * 2 * kPanelColumns * std::max<std::int64_t>(1, rows / 8)};
      for_blocks(blocks, [&](std::int64_t, std::int64_t, std::int64_t panel, std::int64_t panels) {
        multiply_block(a, row, rows, panel, panels);
      });
    }
  }

 private:
  // Rows as the kernel reads them, in the calling thread's working memory.
  const std::byte* prepare(std::int64_t first, std::int64_t rows) const {
    const std::int64_t strips = (rows + kernel_.rows - 1) / kernel_.rows;
    const std::int64_t parts = kernel_.form == RowForm::split_bf16 ? 3 : 1;
    const bool interleaved = kernel_.form == RowForm::interleaved_f32;
    auto* to = scratch<std::byte>(
        Purpose::rows,
        static_cast<std::size_t>(interleaved ? strips * interleaved_bytes(p_.k * element_) : parts * rows * stride_));
    parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / (kernel_.rows * stride_)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t strip = begin; strip < end; ++strip) {
                     const std::int64_t row = strip * kernel_.rows;
                     const std::int64_t count = std::min(kernel_.rows, rows - row);
                     const float* x = p_.x + (first + row) * p_.k;
                     if (interleaved)
                       interleave_rows(x, p_.k * element_, count, p_.k * element_, 0,
                                       to + strip * interleaved_bytes(p_.k * element_));
                     else
                       for (std::int64_t r = 0; r < count; ++r)
                         narrow(x + r * p_.k, to + (row + r) * stride_, rows * stride_);
                   }
                 });
    return to;
  }

  void narrow(const float* x, std::byte* to, std::int64_t part_stride) const {
    const auto part = [&](std::int64_t i) { return reinterpret_cast<std::uint16_t*>(to + i * part_stride); };
    const std::int64_t padding = stride_ - p_.k * element_;
    const std::int64_t parts = kernel_.form == RowForm::split_bf16 ? 3 : 1;
    if (parts == 3)
      split(x, p_.k, part(0), part(1), part(2));
    else
      round_to_bf16(x, p_.k, part(0));
    for (std::int64_t i = 0; i < parts; ++i) std::fill_n(to + i * part_stride + p_.k * element_, padding, std::byte{0});
  }

  void multiply_block(const std::byte* a, std::int64_t first, std::int64_t rows, std::int64_t panel,
                      std::int64_t panels) const {
    const std::int64_t steps = stride_ / kStepBytes;
    const bool cut = cut_steps_ < steps;
    const std::int64_t width = panels * kPanelColumns;
    auto* sums =
        scratch<float>(Purpose::sums, static_cast<std::size_t>((cut ? rows : std::min(rows, kernel_.rows)) * width));
    const std::int64_t panel_stride = cut_steps_ * kStepBytes * kPanelColumns;
    auto* packed = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(panels * panel_stride));
    const std::int64_t column = panel * kPanelColumns;
    const std::int64_t columns = std::min(width, p_.n - column);
    for (std::int64_t step = 0; step < steps; step += cut_steps_) {
      const std::int64_t begin = step * kStepBytes / element_;
      const std::int64_t terms = std::min(cut_steps_ * kStepBytes / element_, p_.k - begin);
      for (std::int64_t j = 0; j < panels; ++j) pack(panel + j, begin, terms, packed + j * panel_stride);
      for (std::int64_t row = 0; row < rows; row += kernel_.rows) {
        FloatStrip s{};
        s.rows = std::min(kernel_.rows, rows - row);
        s.a = kernel_.form == RowForm::interleaved_f32 ? a + row / kernel_.rows * interleaved_bytes(p_.k * element_) +
                                                             step * kStepBytes * interleaved_width(s.rows)
                                                       : a + row * stride_ + step * kStepBytes;
        s.a_stride = stride_;
        s.part_stride = rows * stride_;
        s.weights = packed;
        s.panel_stride = panel_stride;
        s.panels = panels;
        s.steps = std::min(cut_steps_, steps - step);
        s.sums = sums + (cut ? row * width : 0);
        s.sums_stride = width;
        s.add = step > 0;
        kernel_.strip(s);
        if (step + cut_steps_ >= steps)
          finish(s.sums, width, s.rows, columns, p_.scale == nullptr ? nullptr : p_.scale + column,
                 p_.bias == nullptr ? nullptr : p_.bias + column, p_.y + (first + row) * p_.n + column, p_.n);
      }
    }
  }

  // One panel of `terms` of K from `begin`, in the kernel's type.
  void pack(std::int64_t panel, std::int64_t begin, std::int64_t terms, std::byte* to) const {
    const std::int64_t stored = static_cast<std::int64_t>(size_of(p_.dtype));
    const std::int64_t rows = std::min(kPanelColumns, p_.n - panel * kPanelColumns);
    const std::byte* from = static_cast<const std::byte*>(p_.weight) + (panel * kPanelColumns * p_.k + begin) * stored;
    if (p_.dtype == kernel_.panels) return pack_panel(from, p_.k * stored, rows, terms * stored, to);
    auto* wide = scratch<std::byte>(Purpose::widened, static_cast<std::size_t>(kPanelColumns * terms * element_));
    for (std::int64_t r = 0; r < rows; ++r) {
      std::byte* row = wide + r * terms * element_;
      if (kernel_.panels == DType::bf16)
        bytes_to_bf16(reinterpret_cast<const std::int8_t*>(from + r * p_.k), terms,
                      reinterpret_cast<std::uint16_t*>(row));
      else
        widen(from + r * p_.k * stored, p_.dtype, terms, reinterpret_cast<float*>(row));
    }
    pack_panel(wide, terms * element_, rows, terms * element_, to);
  }

  const FloatProduct& p_;
  const FloatKernel& kernel_;
  std::int64_t element_;    // bytes of a panel's element
  std::int64_t stride_;     // bytes of K, in whole steps
  std::int64_t cut_steps_;  // steps of a cut
};

void stream(const FloatProduct& p) {
  const std::int64_t row_bytes = p.k * static_cast<std::int64_t>(size_of(p.dtype));
  const std::int64_t groups = (p.n + 3) / 4;  // rows of the weight are read four at a time
  parallel_for(groups, std::max<std::int64_t>(1, kWorthAThread / (4 * row_bytes + 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 const std::int64_t first = 4 * begin;
                 const std::int64_t count = std::min(p.n, 4 * end) - first;
                 stream_rows_avx512(p, first, count);
                 finish(p.y + first, p.n, p.m, count, p.scale == nullptr ? nullptr : p.scale + first,
                        p.bias == nullptr ? nullptr : p.bias + first, p.y + first, p.n);
               });
}

}  // namespace

bool float_product(const FloatProduct& p, FloatMath math) {
  const FloatKernel* kernel = kernel_for(p.dtype, math);
  if (kernel == nullptr || p.k == 0) return false;
  if (p.m <= kStreamedRows)
    stream(p);
  else
    TiledProduct(p, *kernel).run();
  return true;
}

}  // namespace octavo::gemm
