#include "float_product.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>
#include <utility>

#include "backend.hpp"
#include "cpu.hpp"
#include "dot.hpp"
#include "fixed_point.hpp"
#include "float_rows.hpp"
#include "lazy_panels.hpp"
#include "octavo/detail/clones.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

OCTAVO_CLONES void bytes_to_bf16(const std::int8_t* from, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i)  // exact: 8 bits of significand hold every byte
    to[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(from[i])) >> 16U);
}

constexpr std::int64_t kPairColumns = 2 * kPanelColumns;

// `columns` is a constant where `pair`, so that loops over it are unrolled.
template <bool pair>
[[gnu::always_inline]] inline void finish_rows(const float* sums, std::int64_t sums_stride, std::int64_t rows,
                                               std::int64_t columns, const Results& results) {
  const std::int64_t together = pair ? kPairColumns : kEndedTogether;
  if (pair) columns = kPairColumns;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t first = 0; first < columns; first += together) {
      const std::int64_t count = pair ? kPairColumns : std::min(together, columns - first);
      scale_and_end(sums + i * sums_stride + first, 1.0F, results.at(i, first), count);
    }
}

// The results of `rows` rows and `columns` columns, which start at the first of them.
OCTAVO_CLONES void finish(const float* sums, std::int64_t sums_stride, std::int64_t rows, std::int64_t columns,
                          const Results& results) {
  if (columns == kPairColumns)
    finish_rows<true>(sums, sums_stride, rows, columns, results);
  else
    finish_rows<false>(sums, sums_stride, rows, columns, results);
}

Results results_of(const FloatProduct& p) { return {p.scale, p.bias, p.ending, p.y, p.n, p.y, p.n}; }

constexpr std::int64_t kStripCut = 16;
constexpr std::size_t kMostTogether = 2;        // products
constexpr std::int64_t kLeastRowsOfAPart = 96;  // so that packing a part's panels stays a small share of its work
constexpr std::int64_t kPreparedBytes = std::int64_t{64} << 20;  // of rows in the kernel's form

struct Way {
  const TileKernel* kernel = nullptr;
  RowForm rows = RowForm::f32;
  DType panels = DType::f32;
};

Way way_for(DType weight, FloatEngine engine, FloatMath math) {
  if (engine < FloatEngine::avx2) return {};
  const bool narrow = weight == DType::bf16 || weight == DType::s8;
  if (narrow && engine == FloatEngine::avx512_bf16 && math == FloatMath::bf16)
    return {&kAvx512Bf16Kernel, RowForm::one_bf16, DType::bf16};
  if (narrow && engine == FloatEngine::amx_bf16)
    return math == FloatMath::bf16 ? Way{&kAmxOnePartKernel, RowForm::one_bf16, DType::bf16}
                                   : Way{&kAmxThreePartsKernel, RowForm::three_bf16, DType::bf16};
  return {engine == FloatEngine::avx2 ? &kAvx2FmaKernel : &kAvx512FmaKernel, RowForm::f32, DType::f32};
}

// Whether the weight is read in panels where these are made.
bool reads_panels(const FloatProduct& p, const Way& way) { return p.panels != nullptr && way.panels == DType::bf16; }

class TiledProduct {
 public:
  TiledProduct(const FloatProduct& product, const Way& way)
      : p_(product),
        packed_(reads_panels(product, way) ? product.panels->get() : nullptr),
        kernel_(*way.kernel),
        way_(way),
        element_(static_cast<std::int64_t>(size_of(way.panels))),
        steps_(steps_of(product.k * element_)),
        panels_((product.n + kPanelColumns - 1) / kPanelColumns) {}

  // Products of the same rows and of one shape, each ended before the next begins, block by block: what the first
  // leaves in a block's results is near when the second ends in it. Some rows after the other, so that the working
  // memory is bounded; weights as stored are packed anew for each.
  static void run(std::span<const TiledProduct* const> products) {
    const TiledProduct& first = *products.front();
    const TileKernel& kernel = first.kernel_;
    const std::int64_t most =
        std::max(kernel.block_rows, kPreparedBytes / first.row_bytes() / kernel.rows * kernel.rows);
    const std::int64_t together = block_rows_of(kernel, first.p_.m, most);
    for (std::int64_t row = 0; row < first.p_.m; row += together) {
      const std::int64_t rows = std::min(together, first.p_.m - row);
      const PreparedRows prepared = first.prepare(first.p_.x + row * first.p_.k, rows);
      for_blocks(kernel, rows, first.rows_of_a_part(rows), first.panels_, first.steps_, first.block_panels(rows),
                 [&](std::int64_t part, std::int64_t count, std::int64_t panel, std::int64_t panels) {
                   if (rows > kernel.rows) return blocks(products, prepared, row, part, count, panel, panels);
                   for (const TiledProduct* product : products) product->strip(prepared, row, rows, panel, panels);
                 });
    }
  }

 private:
  std::int64_t block_panels(std::int64_t rows) const {
    if (rows > kernel_.rows) return block_panels_of(kernel_, std::min(rows, kernel_.block_rows), steps_);
    return packed_ == nullptr || kernel_.interleaved ? kBlockPanels : 4 * kBlockPanels;
  }

  // All rows, as long as there are panels enough for all threads: each part packs its own. Of
  // weights that are packed already, as many as stay.
  std::int64_t rows_of_a_part(std::int64_t rows) const {
    if (packed_ != nullptr && !kernel_.interleaved && rows_stay(kernel_, kernel_.block_rows, steps_))
      return block_rows_of(kernel_, rows, kernel_.block_rows);
    const std::int64_t of_block = block_panels(rows);
    const std::int64_t wide = (panels_ + of_block - 1) / of_block;
    const std::int64_t down = std::min((2 * num_threads() + wide - 1) / wide, rows / kLeastRowsOfAPart);
    return down <= 1 ? rows : block_rows_of(kernel_, rows, (rows + down - 1) / down);
  }

  PreparedRows prepare(const float* x, std::int64_t m) const {
    const std::int64_t strips = (m + kernel_.rows - 1) / kernel_.rows;
    const std::int64_t stride = kernel_.rows * kernel_.parts * steps_ * kStepBytes;
    auto* to = scratch<std::byte>(Purpose::rows, static_cast<std::size_t>(strips * stride));
    parallel_for(strips, std::max<std::int64_t>(1, kWorthAThread / stride), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t strip = begin; strip < end; ++strip) {
        const float* from = x + strip * kernel_.rows * p_.k;
        const std::int64_t rows = std::min(kernel_.rows, m - strip * kernel_.rows);
        if (way_.rows == RowForm::f32)
          interleave_rows(from, p_.k * 4, rows, p_.k * 4, 0, to + strip * stride);
        else if (kernel_.interleaved)
          round_and_interleave(from, rows, to + strip * stride);
        else
          lines_of_floats(way_.rows, from, p_.k, rows, p_.k, reinterpret_cast<std::uint16_t*>(to + strip * stride));
      }
    });
    return {to, stride};
  }

  void round_and_interleave(const float* x, std::int64_t rows, std::byte* to) const {
    auto* rounded = scratch<std::uint16_t>(Purpose::widened, static_cast<std::size_t>(rows * steps_ * kBf16Line));
    for (std::int64_t r = 0; r < rows; ++r)
      lines_of_floats(way_.rows, x + r * p_.k, p_.k, 1, p_.k, rounded + r * steps_ * kBf16Line);
    interleave_rows(rounded, steps_ * kStepBytes, rows, p_.k * 2, 0, to);
  }

  std::int64_t row_bytes() const { return kernel_.parts * steps_ * kStepBytes; }

  // For multiply_block: takes the sums of pairs of panels to results, of which `at` is a block's first, in panel
  // `panel`.
  auto finish_at(const Results& at, std::int64_t panel) const {
    return [at, panel, this](const std::byte* sums, std::int64_t pair, std::int64_t row, std::int64_t count) {
      finish(reinterpret_cast<const float*>(sums), 2 * kPanelColumns, count,
             std::min(2 * kPanelColumns, p_.n - (panel + pair) * kPanelColumns), at.at(row, pair * kPanelColumns));
    };
  }

  // A single strip passes the weights once: what has just been packed should be near, and no sum waits for long.
  void strip(const PreparedRows& prepared, std::int64_t first, std::int64_t rows, std::int64_t panel,
             std::int64_t panels) const {
    // The sums of tiles do not depend on the cut; those of words do, and must not depend on where the weights lie.
    const std::int64_t cut = packed_ != nullptr && !kernel_.interleaved ? steps_ : std::min(steps_, kStripCut);
    multiply_block(
        kernel_, {prepared, 0, rows, steps_, cut, panels, nullptr}, nullptr, 0,
        [&](std::int64_t step, std::int64_t count) { return weights(panel, panels, step, count, cut); },
        finish_at(ending_at(first, panel).results, panel));
  }

  // Rows [part, part + rows) of `prepared`, which begins at row `first` of x, in blocks. Weights as stored are packed
  // once for all of them.
  static void blocks(std::span<const TiledProduct* const> products, const PreparedRows& prepared, std::int64_t first,
                     std::int64_t part, std::int64_t rows, std::int64_t panel, std::int64_t panels) {
    const TileKernel& kernel = products.front()->kernel_;
    const std::int64_t weight_bytes = panels * products.front()->steps_ * kPanelStep;
    const auto as_stored = std::count_if(products.begin(), products.end(),
                                         [](const TiledProduct* product) { return product->packed_ == nullptr; });
    auto* own = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(as_stored * weight_bytes));
    std::array<const std::byte*, kMostTogether> packed{};
    for (std::size_t i = 0; i < products.size(); ++i) {
      if (products[i]->packed_ != nullptr) continue;
      products[i]->pack(panel, panels, 0, products[i]->steps_, own, products[i]->steps_ * kPanelStep);
      packed[i] = std::exchange(own, own + weight_bytes);
    }
    const std::int64_t block_rows = block_rows_of(kernel, rows, kernel.block_rows);
    for (std::int64_t row = part; row < part + rows; row += block_rows) {
      const std::int64_t count = std::min(block_rows, part + rows - row), columns = panels * kPanelColumns;
      SumEnding endings[kMostTogether];
      for (std::size_t i = 0; i < products.size(); ++i) endings[i] = products[i]->ending_at(first + row, panel);
      if (products.size() == 2 && is_gate_of(endings[0].results, endings[1].results)) {
        Results& gate = endings[0].results;
        endings[0].past_caches = false;
        gate.y = scratch<float>(Purpose::gate, static_cast<std::size_t>(count * columns));
        gate.stride = columns;
        endings[1].results.gate = gate.y;
        endings[1].results.gate_stride = columns;
      }
      for (std::size_t i = 0; i < products.size(); ++i)
        products[i]->block(prepared, row, count, panel, panels, packed[i], endings[i]);
    }
  }

  // Whether what the first stores is read by the second's ending and then overwritten, so that it may be elsewhere.
  static bool is_gate_of(const Results& first, const Results& second) {
    return first.ending == Ending::store && second.ending == Ending::gate && first.y == second.gate &&
           second.gate == second.y;
  }

  SumEnding ending_at(std::int64_t row, std::int64_t panel) const {
    const Results all = results_of(p_);
    return {nullptr, all.at(row, panel * kPanelColumns), past_caches(kernel_, p_.m, p_.n, all)};
  }

  // Rows [row, row + count) of `prepared` by some panels, which are in `own` unless that is null, ended as
  // `ending` says from the first of them on.
  void block(const PreparedRows& prepared, std::int64_t row, std::int64_t count, std::int64_t panel,
             std::int64_t panels, const std::byte* own, const SumEnding& ending) const {
    const std::int64_t cut = cut_of(kernel_, steps_);
    multiply_block(
        kernel_, {prepared, row, count, steps_, cut, panels, nullptr}, &ending, p_.n - panel * kPanelColumns,
        [&](std::int64_t step, std::int64_t steps) {
          return own != nullptr ? PackedPanels{own + step * kPanelStep, steps_ * kPanelStep, true}
                                : weights(panel, panels, step, steps, cut);
        },
        finish_at(ending.results, panel));
  }

  // `steps` steps, at most `cut`, of some panels: where they lie, or made here.
  PackedPanels weights(std::int64_t panel, std::int64_t panels, std::int64_t step, std::int64_t steps,
                       std::int64_t cut) const {
    if (packed_ != nullptr)
      return {packed_->panel(panel) + step * kPanelStep, packed_->stride(), true, panels_ - panel - panels};
    auto* made = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(panels * cut * kPanelStep));
    pack(panel, panels, step, steps, made, cut * kPanelStep);
    return {made, cut * kPanelStep, false};
  }

  void pack(std::int64_t panel, std::int64_t panels, std::int64_t step, std::int64_t steps, std::byte* to,
            std::int64_t stride) const {
    const std::int64_t begin = step * kStepBytes / element_;
    const std::int64_t terms = std::min(steps * kStepBytes / element_, p_.k - begin);
    for (std::int64_t j = 0; j < panels; ++j) pack_one(panel + j, begin, terms, to + j * stride);
  }

  // One panel of `terms` of K from `begin`, in the kernel's type.
  void pack_one(std::int64_t panel, std::int64_t begin, std::int64_t terms, std::byte* to) const {
    const std::int64_t stored = static_cast<std::int64_t>(size_of(p_.dtype));
    const std::int64_t rows = std::min(kPanelColumns, p_.n - panel * kPanelColumns);
    const std::byte* from = static_cast<const std::byte*>(p_.weight) + (panel * kPanelColumns * p_.k + begin) * stored;
    if (p_.dtype == way_.panels) return pack_panel(from, p_.k * stored, rows, terms * stored, to);
    auto* wide = scratch<std::byte>(Purpose::widened, static_cast<std::size_t>(kPanelColumns * terms * element_));
    for (std::int64_t r = 0; r < rows; ++r) {
      std::byte* row = wide + r * terms * element_;
      if (way_.panels == DType::bf16)
        bytes_to_bf16(reinterpret_cast<const std::int8_t*>(from + r * p_.k), terms,
                      reinterpret_cast<std::uint16_t*>(row));
      else
        widen(from + r * p_.k * stored, p_.dtype, terms, reinterpret_cast<float*>(row));
    }
    pack_panel(wide, terms * element_, rows, terms * element_, to);
  }

  const FloatProduct& p_;
  const FloatPanels* packed_;  // null where the weight is as stored
  const TileKernel& kernel_;
  Way way_;
  std::int64_t element_;  // bytes of a panel's element
  std::int64_t steps_, panels_;
};

// Few rows: every thread takes some columns, in groups that lie together in memory, makes their sums and ends them.
void stream(const FloatProduct& p, FloatEngine engine, const FloatPanels* packed) {
  FloatProduct sums = p;
  if (p.ending != Ending::store) sums.y = scratch<float>(Purpose::sums, static_cast<std::size_t>(p.m * p.n));
  const auto as_stored = packed == nullptr ? std::make_optional<FewRows>(sums, engine) : std::nullopt;
  const float* x = p.x;
  const std::int64_t padded = (p.k + kPanelTerms - 1) / kPanelTerms * kPanelTerms;
  if (packed != nullptr && padded != p.k) {
    auto* rows = scratch<float>(Purpose::rows, static_cast<std::size_t>(p.m * padded));
    for (std::int64_t r = 0; r < p.m; ++r)
      std::fill(std::copy_n(p.x + r * p.k, p.k, rows + r * padded), rows + (r + 1) * padded, 0.0F);
    x = rows;
  }
  const std::int64_t width = packed != nullptr ? kPanelColumns : 4;
  const std::int64_t group_bytes = width * p.k * static_cast<std::int64_t>(size_of(p.dtype));
  parallel_for((p.n + width - 1) / width, std::max<std::int64_t>(1, kWorthAThread / (group_bytes + 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 const std::int64_t first = width * begin;
                 const std::int64_t count = std::min(p.n, width * end) - first;
                 if (packed != nullptr)
                   stream_panels_avx512(sums, *packed, x, padded, begin, end - begin);
                 else
                   as_stored->stream(first, count);
                 finish(sums.y + first, p.n, p.m, count, results_of(p).at(0, first));
               });
}

// More rows of float32 by float32 weights, which need no widening, are sgemm's.
constexpr std::int64_t kOwnFloat32Rows = 64;

}  // namespace

bool float_product(const FloatProduct& p, FloatEngine engine, FloatMath math) {
  const Way way = way_for(p.dtype, engine, math);
  if (way.kernel == nullptr || p.k == 0) return false;
  if (p.dtype == DType::f32 && p.m > kOwnFloat32Rows) return false;
  if (p.m <= kStreamedRows) {
    stream(p, engine, reads_panels(p, way) ? p.panels->ready() : nullptr);
    return true;
  }
  const TiledProduct product(p, way);
  const TiledProduct* const one = &product;
  TiledProduct::run({&one, 1});
  return true;
}

bool float_products(const FloatProduct& first, const FloatProduct& second, FloatEngine engine, FloatMath math) {
  const Way way = way_for(first.dtype, engine, math);
  if (way.kernel == nullptr || first.k == 0 || first.dtype == DType::f32 || first.m <= kStreamedRows) return false;
  if (second.dtype != first.dtype || second.n != first.n || second.k != first.k) return false;
  const TiledProduct one(first, way);
  const TiledProduct other(second, way);
  const TiledProduct* const both[] = {&one, &other};
  TiledProduct::run(both);
  return true;
}

}  // namespace octavo::gemm
