// The int8 product over packed panels: what is cut how, for every kernel alike.
#include <algorithm>
#include <cstring>

#include "backend.hpp"
#include "cpu.hpp"
#include "octavo/parallel.hpp"
#include "panels.hpp"
#include "s8_strip.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // bytes of weights read by a part, some 10 us
constexpr std::int64_t kBlockBytes = std::int64_t{1} << 19;    // of weights that stay in the second cache
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
    auto* to = scratch<std::int8_t>(Purpose::rows, static_cast<std::size_t>(m * stride));
    const std::int64_t strips = (m + kernel.rows - 1) / kernel.rows;
    parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / (kernel.rows * stride)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin * kernel.rows; row < std::min(m, end * kernel.rows); ++row) {
                     const std::int8_t* from = a + row * k_;
                     if (!kernel.interleaved) {
                       std::copy_n(from, k_, to + row * stride);
                       std::fill_n(to + row * stride + k_, stride - k_, std::int8_t{0});
                       continue;
                     }
                     const std::int64_t first = row / kernel.rows * kernel.rows;
                     interleave(from, to + first * stride, row - first, std::min(kernel.rows, m - first));
                   }
                 });
    return {to, stride};
  }

  void interleave(const std::int8_t* from, std::int8_t* strip, std::int64_t row, std::int64_t rows) const {
    std::int8_t* to = strip + 4 * row;
    const auto put = [&](const std::int8_t* bytes, std::int64_t count) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes, static_cast<std::size_t>(count));
      word ^= 0x80808080U;
      std::memcpy(to, &word, sizeof word);
      to += 4 * rows;
    };
    std::int64_t i = 0;
    for (; i + 4 <= k_; i += 4) put(from + i, 4);
    if (i < k_) put(from + i, k_ - i);
    for (i = (k_ + 3) / 4; i < steps_ * 16; ++i) put(from, 0);  // by weights of 0
  }

  template <class Finish>
  void run(const std::int8_t* a, std::int64_t m, const Finish& finish) const {
    const S8Kernel& kernel = m <= few_rows_ ? few_ : many_;
    const Rows rows = rows_for(kernel, a, m);
    const std::int64_t pairs = (panels_ + 1) / 2;  // what is cut among the threads: pairs of panels, blocks of rows
    const std::int64_t block_rows = std::min(m, pairs < 32 ? kBlockRows / 4 : kBlockRows);
    const std::int64_t blocks = (m + block_rows - 1) / block_rows;
    const std::int64_t cuts = (steps_ + kernel.max_steps - 1) / kernel.max_steps;
    const std::int64_t cut_steps = (steps_ + cuts - 1) / cuts;
    const std::int64_t bytes_of_cut = cut_steps * kStepBytes * kPanelColumns;
    const std::int64_t block_panels = std::clamp(kBlockBytes / bytes_of_cut / 2 * 2, std::int64_t{2}, kBlockPanels);
    const std::int64_t part_bytes = 2 * panel_stride_ * std::max<std::int64_t>(1, block_rows / 8);
    parallel_for(pairs * blocks, std::max<std::int64_t>(1, kWorthAThread / part_bytes),
                 [&](std::int64_t begin, std::int64_t end) {
                   while (begin < end) {  // one block of rows after the other
                     const std::int64_t block = begin / pairs;
                     const std::int64_t last = std::min(end, (block + 1) * pairs);
                     const std::int64_t row = block * block_rows;
                     for (std::int64_t panel = begin % pairs * 2; panel < std::min(panels_, (last - block * pairs) * 2);
                          panel += block_panels) {
                       const std::int64_t stop = std::min({panel + block_panels, panels_, (last - block * pairs) * 2});
                       multiply_block(kernel, rows, row, std::min(block_rows, m - row), m, panel, stop - panel,
                                      cut_steps, finish);
                     }
                     begin = last;
                   }
                 });
  }

  template <class Finish>
  void multiply_block(const S8Kernel& kernel, const Rows& rows, std::int64_t row, std::int64_t count, std::int64_t m,
                      std::int64_t panel, std::int64_t panels, std::int64_t cut_steps, const Finish& finish) const {
    const bool cut = cut_steps < steps_;
    const std::int64_t width = panels * kPanelColumns;
    auto* sums = scratch<std::int32_t>(
        Purpose::sums, static_cast<std::size_t>((cut ? std::max(count, kernel.rows) : kernel.rows) * width));
    for (std::int64_t step = 0; step < steps_; step += cut_steps)
      for (std::int64_t r = row; r < row + count; r += kernel.rows) {
        S8Strip s{};
        s.rows = std::min(kernel.rows, row + count - r);
        const std::int64_t interleaved = std::min(kernel.rows, m - r);  // rows of the strip as it was written
        s.a = rows.values + r * rows.stride + step * kStepBytes * (kernel.interleaved ? interleaved : 1);
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
