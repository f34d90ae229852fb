// The int8 product over packed panels: what is cut how, for every kernel alike.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backend.hpp"
#include "cpu.hpp"
#include "quantize.hpp"
#include "stream_rows.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kStreamedBytes = std::int64_t{4} << 20;  // of results, which second caches do not keep

class PackedWeights final : public PackedS8 {
  // Whether results go past the caches: where reading each line before it is written takes longer than whoever uses
  // them next loses by reading them from farther away. Measured with tiles only.
  bool streams(std::int64_t rows, const Results& results) const {
    return !kernel_for(rows).interleaved && results.ending != Ending::add && rows * n_ * 4 >= kStreamedBytes &&
           n_ % kPanelColumns == 0 && reinterpret_cast<std::uintptr_t>(results.y) % 64 == 0;
  }

  // Takes the sums of pairs of panels to their results, which begin at a row and a column of the product.
  auto ends(const Int8Rows& rows, const Results& results, bool streamed, std::int64_t first_row = 0,
            std::int64_t first_column = 0) const {
    return [=, this](const std::int32_t* sums, std::int64_t row, std::int64_t count, std::int64_t column) {
      const Results at = results.at(row - first_row, column - first_column);
      const std::int64_t columns = std::min(2 * kPanelColumns, n_ - column);
      if (!streamed) return scale_sums(sums, 2 * kPanelColumns, count, columns, rows.scales + row, at);
      for (std::int64_t done = 0; done < count; done += kLineRows) {
        alignas(64) float ended[kLineRows * 2 * kPanelColumns];
        const std::int64_t some = std::min(kLineRows, count - done);
        Results here = at.at(done, 0);
        float* const y = std::exchange(here.y, ended);
        const std::int64_t stride = std::exchange(here.stride, columns);
        scale_sums(sums + done * 2 * kPanelColumns, 2 * kPanelColumns, some, columns, rows.scales + row + done, here);
        stream_rows(ended, some, columns, y, stride);
      }
    };
  }

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
    run(prepare(a, m), m, acc, [&](const std::int32_t* sums, std::int64_t row, std::int64_t rows, std::int64_t column) {
      const std::int64_t columns = std::min(2 * kPanelColumns, n_ - column);
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(sums + r * 2 * kPanelColumns, columns, acc + (row + r) * n_ + column);
    });
  }

  RowLayout layout(std::int64_t m) const noexcept override {
    return kernel_for(m).interleaved ? RowLayout::words : RowLayout::lines;
  }

  void linear(const Int8Rows& rows, const Results& results) const override {
    const bool streamed = streams(rows.count, results);
    run({rows.values, rows.strip_stride}, rows.count, streamed ? nullptr : results.y, ends(rows, results, streamed));
  }

  // A block of the gate, then the same one of up. What the gate gives stays in the thread's working memory, so in the
  // second cache, and is written nowhere else.
  void gated(const Int8Rows& rows, const Results& gate, const PackedS8& other,
             const Results& up_results) const override {
    const auto* up = dynamic_cast<const PackedWeights*>(&other);
    if (up == nullptr || up->n_ != n_ || up->k_ != k_ || &up->many_ != &many_)
      return PackedS8::gated(rows, gate, other, up_results);
    const PreparedRows prepared{rows.values, rows.strip_stride};
    const bool streamed = streams(rows.count, up_results);
    const TileKernel& kernel = kernel_for(rows.count);
    for_blocks(kernel, rows.count, block_rows(kernel, rows.count), panels_, steps_, block_panels(kernel, rows.count),
               [&](std::int64_t row, std::int64_t count, std::int64_t panel, std::int64_t panels) {
                 const std::int64_t first = panel * kPanelColumns;
                 const std::int64_t columns = panels * kPanelColumns;
                 auto* own = scratch<float>(Purpose::gate, static_cast<std::size_t>(count * columns));
                 Results to_own = gate.at(row, first);
                 to_own.y = own;
                 to_own.stride = columns;
                 Results from_own = up_results.at(row, first);
                 from_own.gate = own;
                 from_own.gate_stride = columns;
                 block(kernel, prepared, row, count, panel, panels, own, columns,
                       ends(rows, to_own, false, row, first));
                 up->block(kernel, prepared, row, count, panel, panels, own, columns,
                           up->ends(rows, from_own, streamed, row, first));
                 if (streamed) end_streams();
               });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }
  const TileKernel& kernel_for(std::int64_t m) const noexcept { return m <= few_rows_ ? few_ : many_; }

  PreparedRows prepare(const std::int8_t* a, std::int64_t m) const {
    const Strips strips(layout(m), k_);
    auto* to = scratch<std::byte>(Purpose::rows, static_cast<std::size_t>(strips.bytes(m)));
    parallel_for((m + strips.rows - 1) / strips.rows, std::max<std::int64_t>(1, kWorthAThread / strips.stride),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t strip = begin; strip < end; ++strip) {
                     const std::int8_t* from = a + strip * strips.rows * k_;
                     const std::int64_t rows = std::min(strips.rows, m - strip * strips.rows);
                     if (layout(m) == RowLayout::words)
                       interleave_rows(from, k_, rows, k_, 0x80, to + strip * strips.stride);
                     else
                       lines_of_rows(from, k_, rows, k_, to + strip * strips.stride);
                   }
                 });
    return {to, strips.stride};
  }

  std::int64_t block_rows(const TileKernel& kernel, std::int64_t m) const {
    return block_rows_of(kernel, m, panels_ < 64 ? kFewBlockRows : kernel.block_rows);
  }

  static std::int64_t block_panels(const TileKernel& kernel, std::int64_t m) {
    return m <= kernel.rows ? kPanelsOfOneStrip : kernel.block_panels;
  }

  // finish writes to out[m][n], 4 bytes each; null: past the caches.
  template <class Out, class Finish>
  void run(const PreparedRows& prepared, std::int64_t m, const Out* out, const Finish& finish) const {
    const TileKernel& kernel = kernel_for(m);
    for_blocks(kernel, m, block_rows(kernel, m), panels_, steps_, block_panels(kernel, m),
               [&](std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t panels) {
                 block(kernel, prepared, row, rows, panel, panels,
                       out == nullptr ? nullptr : out + row * n_ + panel * kPanelColumns, n_, finish);
                 if (out == nullptr) end_streams();
               });
  }

  // `out` is where the block's first results are wanted: fetched meanwhile, unless it is null.
  template <class Out, class Finish>
  void block(const TileKernel& kernel, const PreparedRows& prepared, std::int64_t row, std::int64_t rows,
             std::int64_t panel, std::int64_t panels, const Out* out, std::int64_t out_stride,
             const Finish& finish) const {
    const std::int64_t cut = rows <= kernel.rows ? steps_ : cut_of(kernel, steps_);
    multiply_block(
        kernel, prepared, row, rows, steps_, cut, panels, start_.data() + panel * kPanelColumns, out, out_stride * 4,
        [&](std::int64_t step, std::int64_t) {
          return PackedPanels{packed_.get() + panel * panel_stride_ + step * kPanelStep, panel_stride_, true,
                              panels_ - panel - panels};
        },
        [&](const std::byte* sums, std::int64_t first, std::int64_t from, std::int64_t count) {
          finish(reinterpret_cast<const std::int32_t*>(sums), row + from, count, (panel + first) * kPanelColumns);
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
