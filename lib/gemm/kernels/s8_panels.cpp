// The int8 product over packed panels: what is cut how, for every kernel alike.
#include <algorithm>
#include <cstring>

#include "backend.hpp"
#include "cpu.hpp"
#include "quantize.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

class PackedWeights final : public PackedS8 {
  // What becomes of all sums of a product; results begin at a row and a column of it.
  SumEnding ending_of(const Int8Rows& rows, const Results& results) const {
    return {rows.scales, results, past_caches(kernel_for(rows.count), rows.count, n_, results)};
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
        start_(few.wide_rows ? 0 : static_cast<std::size_t>(panels_ * kPanelColumns)) {
    parallel_for(
        panels_, std::max<std::int64_t>(1, kWorthAThread / panel_stride_), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t panel = begin; panel < end; ++panel)
            pack_panel(weight + panel * kPanelColumns * k, k, std::min(kPanelColumns, n - panel * kPanelColumns), k,
                       packed_.get() + panel * panel_stride_);
          if (start_.empty()) return;
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
    run(prepare(a, m), m, nullptr,
        [&](const std::int32_t* sums, std::int64_t row, std::int64_t rows, std::int64_t column) {
          const std::int64_t columns = std::min(2 * kPanelColumns, n_ - column);
          for (std::int64_t r = 0; r < rows; ++r)
            std::copy_n(sums + r * 2 * kPanelColumns, columns, acc + (row + r) * n_ + column);
        });
  }

  RowLayout layout(std::int64_t m) const noexcept override {
    const TileKernel& kernel = kernel_for(m);
    return !kernel.interleaved ? RowLayout::lines : kernel.wide_rows ? RowLayout::wide_words : RowLayout::words;
  }

  void linear(const Int8Rows& rows, const Results& results) const override {
    const SumEnding ending = ending_of(rows, results);
    run({rows.values, rows.strip_stride}, rows.count, &ending,
        [&](const std::int32_t* sums, std::int64_t row, std::int64_t count, std::int64_t column) {
          finish(ending.at(row, column), sums, count, column);
        });
  }

  // A block of the gate, then the same one of up. What the gate gives stays in the thread's working memory, so in the
  // second cache, and is written nowhere else.
  void gated(const Int8Rows& rows, const Results& gate, const PackedS8& other,
             const Results& up_results) const override {
    const auto* up = dynamic_cast<const PackedWeights*>(&other);
    if (up == nullptr || up->n_ != n_ || up->k_ != k_ || &up->many_ != &many_)
      return PackedS8::gated(rows, gate, other, up_results);
    const PreparedRows prepared{rows.values, rows.strip_stride};
    const TileKernel& kernel = kernel_for(rows.count);
    for_blocks(kernel, rows.count, block_rows(kernel, rows.count), panels_, steps_, block_panels(kernel, rows.count),
               [&](std::int64_t row, std::int64_t count, std::int64_t panel, std::int64_t panels) {
                 const std::int64_t columns = panels * kPanelColumns;
                 auto* own = scratch<float>(Purpose::gate, static_cast<std::size_t>(count * columns));
                 SumEnding to_own{rows.scales, gate, false};
                 to_own = to_own.at(row, panel * kPanelColumns);
                 to_own.results.y = own;
                 to_own.results.stride = columns;
                 SumEnding from_own = ending_of(rows, up_results).at(row, panel * kPanelColumns);
                 from_own.results.gate = own;
                 from_own.results.gate_stride = columns;
                 const auto half = [&](const PackedWeights& weights, const SumEnding& ending) {
                   weights.block(
                       kernel, prepared, row, count, panel, panels, &ending,
                       [&](const std::int32_t* sums, std::int64_t at_row, std::int64_t some, std::int64_t column) {
                         weights.finish(ending.at(at_row - row, column - panel * kPanelColumns), sums, some, column);
                       });
                 };
                 half(*this, to_own);
                 half(*up, from_own);
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
                     std::byte* const strip_to = to + strip * strips.stride;
                     if (layout(m) == RowLayout::lines)
                       lines_of_rows(from, k_, rows, k_, strip_to);
                     else
                       interleave_in(layout(m), from, k_, rows, strip_to);
                   }
                 });
    return {to, strips.stride};
  }

  const std::int32_t* start_of(std::int64_t panel) const {
    return start_.empty() ? nullptr : start_.data() + panel * kPanelColumns;
  }

  std::int64_t block_rows(const TileKernel& kernel, std::int64_t m) const {
    return block_rows_of(kernel, m, panels_ < 64 ? kFewBlockRows : kernel.block_rows);
  }

  std::int64_t block_panels(const TileKernel& kernel, std::int64_t m) const {
    constexpr std::int64_t kOfOneStrip = 128;  // each of four streams then runs through a MiB or more
    return m <= kernel.rows ? kOfOneStrip : block_panels_of(kernel, block_rows(kernel, m), steps_);
  }

  // Sums of a pair of panels from a column on, to results that begin at `ending`.
  void finish(const SumEnding& ending, const std::int32_t* sums, std::int64_t count, std::int64_t column) const {
    scale_sums(sums, 2 * kPanelColumns, count, std::min(2 * kPanelColumns, n_ - column), ending.tokens, ending.results);
  }

  // `ending` is of all sums, from the first row and column on; null: only `finish` knows.
  template <class Finish>
  void run(const PreparedRows& prepared, std::int64_t m, const SumEnding* ending, const Finish& finish) const {
    const TileKernel& kernel = kernel_for(m);
    for_blocks(kernel, m, block_rows(kernel, m), panels_, steps_, block_panels(kernel, m),
               [&](std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t panels) {
                 if (ending == nullptr) return block(kernel, prepared, row, rows, panel, panels, nullptr, finish);
                 const SumEnding of_block = ending->at(row, panel * kPanelColumns);
                 block(kernel, prepared, row, rows, panel, panels, &of_block, finish);
               });
  }

  // `ending` is of the block's sums. finish(sums, row, count, column) counts rows and columns from the product's first.
  template <class Finish>
  void block(const TileKernel& kernel, const PreparedRows& prepared, std::int64_t row, std::int64_t rows,
             std::int64_t panel, std::int64_t panels, const SumEnding* ending, const Finish& finish) const {
    const std::int64_t cut = rows <= kernel.rows ? steps_ : cut_of(kernel, steps_);
    multiply_block(
        kernel, {prepared, row, rows, steps_, cut, panels, start_of(panel)}, ending, n_ - panel * kPanelColumns,
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
  std::vector<std::int32_t> start_;  // -128 * sum(w) of each column; empty where rows are not offset
};

template <const TileKernel& kernel>
std::unique_ptr<PackedS8> pack(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedWeights>(weight, n, k, kernel, 0, kernel);
}

// Tiles cost the same for one row as for 16.
constexpr std::int64_t kRowsWithoutTiles = 4;
std::unique_ptr<PackedS8> pack_amx(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedWeights>(weight, n, k, kAvx512VnniKernel, kRowsWithoutTiles, kAmxInt8Kernel);
}

}  // namespace

const Backend kAvx512VnniBackend{"avx512_vnni", "AVX512-VNNI, weights packed once", kMaxInFeatures, has_avx512_vnni,
                                 pack<kAvx512VnniKernel>};
const Backend kAvxVnniBackend{"avx_vnni", "AVX-VNNI, weights packed once", kMaxInFeatures, has_avx_vnni,
                              pack<kAvxVnniKernel>};
const Backend kAvx512Backend{"avx512", "int16 products on AVX-512, weights packed once", kMaxInFeatures, has_avx512,
                             pack<kAvx512Int8Kernel>};
const Backend kAvx2Backend{"avx2", "int16 products, weights packed once", kMaxInFeatures, has_avx2,
                           pack<kAvx2Int8Kernel>};
const Backend kAmxInt8Backend{"amx_int8", "AMX tiles, and AVX512-VNNI for few rows; weights packed once",
                              kMaxInFeatures, has_amx_int8, pack_amx};

}  // namespace octavo::gemm
