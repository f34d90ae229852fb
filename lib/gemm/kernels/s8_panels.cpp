// The int8 product over packed panels: what is cut how, for every kernel alike.
#include <algorithm>
#include <cstring>

#include "backend.hpp"
#include "blocks.hpp"
#include "cpu.hpp"
#include "octavo/parallel.hpp"
#include "panels.hpp"
#include "s8_strip.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{1} << 19;  // of weights that stay in the second cache
constexpr std::int64_t kBlockPanels = 16;
constexpr std::int64_t kBlockRows = 512;

class PackedPanels final : public PackedS8 {
 public:
  // `few` multiplies up to few_rows rows, `many` more.
  PackedPanels(const std::int8_t* weight, std::int64_t n, std::int64_t k, const S8Kernel& few, std::int64_t few_rows,
               const S8Kernel& many)
      : n_(n),
        k_(k),
        steps_(steps_of(k)),
        panels_((n + kPanelColumns - 1) / kPanelColumns),
        panel_stride_(panel_bytes(k)),
        few_(few),
        many_(many),
        few_rows_(few_rows),
        packed_(aligned_bytes(static_cast<std::size_t>(panels_ * panel_stride_))),
        start_(static_cast<std::size_t>(panels_ * kPanelColumns)) {
    parallel_for(
        panels_, std::max<std::int64_t>(1, kWorthAThread / panel_stride_), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t panel = begin; panel < end; ++panel)
            pack_panel(weight + panel * kPanelColumns * k, k, std::min(kPanelColumns, n - panel * kPanelColumns), k,
                       packed_.get() + panel * panel_stride_);
          for (std::int64_t j = begin * kPanelColumns; j < std::min(n, end * kPanelColumns); ++j) {
            std::int32_t sum = 0;
            for (std::int64_t i = 0; i < k; ++i) sum += weight[j * k + i];
            start_[static_cast<std::size_t>(j)] = -128 * sum;  // at most 131071 * 128 * 128 < 2^31
          }
        });
  }

  std::size_t size_bytes() const noexcept override {
    return static_cast<std::size_t>(panels_ * panel_stride_) + start_.size() * sizeof start_[0];
  }

  void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const override {
    run(a, m, [&](const S8Strip& s, std::int64_t row, std::int64_t column) {
      const std::int64_t columns = std::min(s.panels * kPanelColumns, n_ - column);
      for (std::int64_t r = 0; r < s.rows; ++r)
        std::copy_n(s.sums + r * s.sums_stride, columns, acc + (row + r) * n_ + column);
    });
  }

  void linear(const std::int8_t* a, std::int64_t m, const Scales& scales, float* y) const override {
    run(a, m, [&](const S8Strip& s, std::int64_t row, std::int64_t column) {
      scale_sums(s.sums, s.sums_stride, s.rows, std::min(s.panels * kPanelColumns, n_ - column),
                 {scales.token + row, scales.channel + column, scales.bias == nullptr ? nullptr : scales.bias + column},
                 y + row * n_ + column, n_);
    });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  // Rows as the kernel reads them, and where those of a strip begin.
  struct Rows {
    const std::int8_t* values;
    std::int64_t stride;
  };

  Rows rows_for(const S8Kernel& kernel, const std::int8_t* a, std::int64_t m) const {
    const std::int64_t stride = steps_ * kStepBytes;
    if (!kernel.interleaved && stride == k_) return {a, stride};
    const std::int64_t strips = (m + kernel.rows - 1) / kernel.rows;
    const std::int64_t strip_bytes = kernel.interleaved ? interleaved_bytes(k_) : kernel.rows * stride;
    auto* to = scratch<std::int8_t>(Purpose::rows, static_cast<std::size_t>(strips * strip_bytes));
    parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / strip_bytes),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t strip = begin; strip < end; ++strip) {
                     const std::int64_t row = strip * kernel.rows;
                     const std::int64_t rows = std::min(kernel.rows, m - row);
                     std::int8_t* into = to + strip * strip_bytes;
                     if (kernel.interleaved) {
                       interleave_rows(a + row * k_, k_, rows, k_, 0x80, into);
                       continue;
                     }
                     for (std::int64_t r = 0; r < rows; ++r) {
                       std::copy_n(a + (row + r) * k_, k_, into + r * stride);
                       std::fill_n(into + r * stride + k_, stride - k_, std::int8_t{0});
                     }
                   }
                 });
    return {to, stride};
  }

  template <class Finish>
  void run(const std::int8_t* a, std::int64_t m, const Finish& finish) const {
    const S8Kernel& kernel = m <= few_rows_ ? few_ : many_;
    const Rows rows = rows_for(kernel, a, m);
    const std::int64_t most = panels_ < 64 ? kBlockRows / 4 : kBlockRows;
    const std::int64_t block_rows = std::min(m, most / kernel.rows * kernel.rows);  // whole strips
    const std::int64_t cuts = (steps_ + kernel.max_steps - 1) / kernel.max_steps;
    const std::int64_t cut_steps = (steps_ + cuts - 1) / cuts;
    const std::int64_t bytes_of_cut = cut_steps * kStepBytes * kPanelColumns;
    const Blocks blocks{.rows = m,
                        .panels = panels_,
                        .block_rows = block_rows,
                        .block_panels = std::clamp(kBlockBytes / bytes_of_cut / 2 * 2, std::int64_t{2}, kBlockPanels),
                        .pair_cost = 2 * panel_stride_ * std::max<std::int64_t>(1, block_rows / 8)};
    for_blocks(blocks, [&](std::int64_t row, std::int64_t count, std::int64_t panel, std::int64_t panels) {
      multiply_block(kernel, rows, row, count, panel, panels, cut_steps, finish);
    });
  }

  template <class Finish>
  void multiply_block(const S8Kernel& kernel, const Rows& rows, std::int64_t row, std::int64_t count,
                      std::int64_t panel, std::int64_t panels, std::int64_t cut_steps, const Finish& finish) const {
    const bool cut = cut_steps < steps_;
    const std::int64_t width = panels * kPanelColumns;
    auto* sums = scratch<std::int32_t>(
        Purpose::sums, static_cast<std::size_t>((cut ? std::max(count, kernel.rows) : kernel.rows) * width));
    for (std::int64_t step = 0; step < steps_; step += cut_steps)
      for (std::int64_t r = row; r < row + count; r += kernel.rows) {
        S8Strip s{};
        s.rows = std::min(kernel.rows, row + count - r);
        s.a = kernel.interleaved ? rows.values + r / kernel.rows * interleaved_bytes(k_) +
                                       step * kStepBytes * interleaved_width(s.rows)
                                 : rows.values + r * rows.stride + step * kStepBytes;
        s.a_stride = rows.stride;
        s.weights = reinterpret_cast<const std::int8_t*>(packed_.get()) + panel * panel_stride_ +
                    step * kStepBytes * kPanelColumns;
        s.panel_stride = panel_stride_;
        s.panels = panels;
        s.steps = std::min(cut_steps, steps_ - step);
        s.start = start_.data() + panel * kPanelColumns;
        s.sums = sums + (cut ? (r - row) * width : 0);
        s.sums_stride = width;
        s.add = step > 0;
        kernel.strip(s);
        if (step + cut_steps >= steps_) finish(s, r, panel * kPanelColumns);
      }
  }

  std::int64_t n_, k_, steps_, panels_, panel_stride_;
  const S8Kernel& few_;
  const S8Kernel& many_;
  std::int64_t few_rows_;
  AlignedBytes packed_;
  std::vector<std::int32_t> start_;  // -128 * sum(w) of each column
};

std::unique_ptr<PackedS8> pack_vnni(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedPanels>(weight, n, k, kAvx512VnniKernel, 0, kAvx512VnniKernel);
}

// Tiles cost the same for one row as for 16.
constexpr std::int64_t kRowsWithoutTiles = 4;
std::unique_ptr<PackedS8> pack_amx(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedPanels>(weight, n, k, kAvx512VnniKernel, kRowsWithoutTiles, kAmxInt8Kernel);
}

}  // namespace

const Backend kAvx512VnniBackend{"avx512_vnni", "AVX512-VNNI, weights packed once", kMaxInFeatures, has_avx512_vnni,
                                 pack_vnni};
const Backend kAmxInt8Backend{"amx_int8", "AMX tiles, and AVX512-VNNI for few rows; weights packed once",
                              kMaxInFeatures, has_amx_int8, pack_amx};

}  // namespace octavo::gemm
