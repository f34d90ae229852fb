// The int8 product over packed panels: what is cut how, for every kernel alike.
#include <algorithm>
#include <cstring>

#include "backend.hpp"
#include "cpu.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

class PackedWeights final : public PackedS8 {
 public:
  // `few` multiplies up to few_rows rows, `many` more.
  PackedWeights(const std::int8_t* weight, std::int64_t n, std::int64_t k, const TileKernel& few, std::int64_t few_rows,
                const TileKernel& many)
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
    run(a, m, acc, [&](const std::int32_t* sums, std::int64_t row, std::int64_t rows, std::int64_t column) {
      const std::int64_t columns = std::min(2 * kPanelColumns, n_ - column);
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(sums + r * 2 * kPanelColumns, columns, acc + (row + r) * n_ + column);
    });
  }

  void linear(const std::int8_t* a, std::int64_t m, const Scales& scales, float* y) const override {
    run(a, m, y, [&](const std::int32_t* sums, std::int64_t row, std::int64_t rows, std::int64_t column) {
      scale_sums(sums, 2 * kPanelColumns, rows, std::min(2 * kPanelColumns, n_ - column),
                 {scales.token + row, scales.channel + column, scales.bias == nullptr ? nullptr : scales.bias + column},
                 y + row * n_ + column, n_);
    });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  PreparedRows prepare(const TileKernel& kernel, const std::int8_t* a, std::int64_t m) const {
    const std::int64_t strips = (m + kernel.rows - 1) / kernel.rows;
    const std::int64_t stride = (kernel.interleaved ? 16 : kernel.rows) * steps_ * kStepBytes;
    auto* to = scratch<std::byte>(Purpose::rows, static_cast<std::size_t>(strips * stride));
    parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / stride), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t strip = begin; strip < end; ++strip) {
        const std::int8_t* from = a + strip * kernel.rows * k_;
        const std::int64_t rows = std::min(kernel.rows, m - strip * kernel.rows);
        if (kernel.interleaved)
          interleave_rows(from, k_, rows, k_, 0x80, to + strip * stride);
        else
          lines_of_rows(from, k_, rows, k_, to + strip * stride);
      }
    });
    return {to, stride};
  }

  // finish writes to out[m][n], 4 bytes each.
  template <class Out, class Finish>
  void run(const std::int8_t* a, std::int64_t m, const Out* out, const Finish& finish) const {
    const TileKernel& kernel = m <= few_rows_ ? few_ : many_;
    const PreparedRows prepared = prepare(kernel, a, m);
    const auto packed_from = [&](std::int64_t panel) {
      return [this, panel](std::int64_t step, std::int64_t) {
        return PackedPanels{packed_.get() + panel * panel_stride_ + step * kPanelStep, panel_stride_, true};
      };
    };
    const std::int64_t most = panels_ < 64 ? kFewBlockRows : kernel.block_rows;
    for_blocks(m, block_rows_of(kernel, m, most), panels_, steps_,
               [&](std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t panels) {
                 const std::int64_t cut = rows <= kernel.rows ? steps_ : std::min(steps_, kernel.cut_steps);
                 multiply_block(kernel, prepared, row, rows, steps_, cut, panels, start_.data() + panel * kPanelColumns,
                                out + row * n_ + panel * kPanelColumns, n_ * 4, packed_from(panel),
                                [&](const std::byte* sums, std::int64_t first, std::int64_t count) {
                                  for (std::int64_t j = 0; j < count; j += 2)
                                    finish(reinterpret_cast<const std::int32_t*>(sums + j / 2 * rows * kSumBytes), row,
                                           rows, (panel + first + j) * kPanelColumns);
                                });
               });
  }

  std::int64_t n_, k_, steps_, panels_, panel_stride_;
  const TileKernel& few_;
  const TileKernel& many_;
  std::int64_t few_rows_;
  AlignedBytes packed_;
  std::vector<std::int32_t> start_;  // -128 * sum(w) of each column
};

std::unique_ptr<PackedS8> pack_vnni(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedWeights>(weight, n, k, kAvx512VnniKernel, 0, kAvx512VnniKernel);
}

// Tiles cost the same for one row as for 16.
constexpr std::int64_t kRowsWithoutTiles = 4;
std::unique_ptr<PackedS8> pack_amx(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedWeights>(weight, n, k, kAvx512VnniKernel, kRowsWithoutTiles, kAmxInt8Kernel);
}

}  // namespace

const Backend kAvx512VnniBackend{"avx512_vnni", "AVX512-VNNI, weights packed once", kMaxInFeatures, has_avx512_vnni,
                                 pack_vnni};
const Backend kAmxInt8Backend{"amx_int8", "AMX tiles, and AVX512-VNNI for few rows; weights packed once",
                              kMaxInFeatures, has_amx_int8, pack_amx};

}  // namespace octavo::gemm
