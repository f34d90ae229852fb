#include "float_product.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend.hpp"
#include "cpu.hpp"
#include "dot.hpp"
#include "lazy_panels.hpp"
#include "octavo/detail/clones.hpp"
#include "prepared_rows.hpp"

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

// The same of digits' sums, of whole pairs of panels; rows without digits are left out.
void finish_digits(const std::int32_t* sums, std::int64_t rows, std::int64_t columns, const FixedRow* fixed,
                   bool offset, const Results& results) {
  alignas(64) float joined[kPairColumns];
  for (std::int64_t i = 0; i < rows; ++i, sums += kFixedDigits * kPairColumns) {
    if (fixed[i].step == 0) continue;
    join_digits_avx512(sums, fixed[i], offset, kPairColumns, joined);
    finish(joined, kPairColumns, 1, columns, results.at(i, 0));
  }
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
  std::uint8_t flip = 0;                       // every byte of the panels is xored with it
  std::int64_t streamed_rows = kStreamedRows;  // so few are streamed

  std::int64_t lines() const { return kernel_rows_of(rows); }  // of a row of x
};

// In bf16 math, for more rows than this, one product of bf16 and widening the weights for it take less time than four
// products of bytes.
constexpr std::int64_t kRowsOfDigits = 128;

Way way_for(const FloatProduct& p, FloatEngine engine, FloatMath math) {
  if (engine < FloatEngine::avx2) return {};
  const bool rounds = math == FloatMath::bf16 && engine >= FloatEngine::avx512_bf16;
  if (p.dtype == DType::s8 && engine >= FloatEngine::avx512 && has_avx512_vnni() && p.k <= kMaxInFeatures &&
      (!rounds || p.m <= kRowsOfDigits)) {
    if (engine == FloatEngine::amx_bf16 && has_amx_int8()) return {&kAmxInt8Kernel, RowForm::digits, DType::s8, 0, 4};
    return {&kAvx512VnniOffsetWeightsKernel, RowForm::digits, DType::s8, 0x80};
  }
  const bool narrow = p.dtype == DType::bf16 || p.dtype == DType::s8;
  if (narrow && engine == FloatEngine::avx512_bf16 && rounds)
    return {&kAvx512Bf16Kernel, RowForm::one_bf16, DType::bf16};
  if (narrow && engine == FloatEngine::amx_bf16)
    return rounds ? Way{&kAmxOnePartKernel, RowForm::one_bf16, DType::bf16}
                  : Way{&kAmxThreePartsKernel, RowForm::three_bf16, DType::bf16};
  return {engine == FloatEngine::avx2 ? &kAvx2FmaKernel : &kAvx512FmaKernel, RowForm::f32, DType::f32};
}

// Whether the weight is read in panels where these are made.
bool reads_panels(const FloatProduct& p, const Way& way) { return p.panels != nullptr && way.panels == DType::bf16; }

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
    const std::int64_t lines = first.way_.lines(), all = first.p_.m * lines;
    const std::int64_t together = block_rows_of(kernel, all, most);
    for (std::int64_t row = 0; row < all; row += together) {
      const std::int64_t rows = std::min(together, all - row);
      const PreparedFloats prepared = prepare_floats(kernel, first.way_.rows, first.steps_,
                                                     first.p_.x + row / lines * first.p_.k, rows / lines, first.p_.k);
      for_blocks(kernel, rows, first.rows_of_a_part(rows), first.panels_, first.steps_, first.block_panels(rows),
                 [&](std::int64_t part, std::int64_t count, std::int64_t panel, std::int64_t panels) {
                   if (rows > kernel.rows) return blocks(products, prepared, row, part, count, panel, panels);
                   for (const TiledProduct* product : products) product->strip(prepared, row, rows, panel, panels);
                 });
      if (prepared.fixed != nullptr) stream_others(products, prepared, row / lines, rows / lines);
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

  // The rows that have no digits, in float32.
  static void stream_others(std::span<const TiledProduct* const> products, const PreparedFloats& prepared,
                            std::int64_t first, std::int64_t count) {
    std::vector<std::int64_t> others;  // streaming needs the memory of what is prepared
    for (std::int64_t r = 0; r < count; ++r)
      if (prepared.fixed[r].step == 0) others.push_back(first + r);
    for (const std::int64_t row : others)
      for (const TiledProduct* product : products) stream(row_of(product->p_, row), FloatEngine::avx512, nullptr);
  }

  std::int64_t row_bytes() const { return kernel_.parts * steps_ * kStepBytes; }

  // For multiply_block: takes the sums of pairs of panels to results, of which `at` is a block's first, in panel
  // `panel`.
  auto finish_at(const Results& at, std::int64_t panel, const FixedRow* fixed) const {
    return [at, panel, fixed, this](const std::byte* sums, std::int64_t pair, std::int64_t row, std::int64_t count) {
      const std::int64_t columns = std::min(kPairColumns, p_.n - (panel + pair) * kPanelColumns);
      const std::int64_t first = row / way_.lines();
      const Results here = at.at(first, pair * kPanelColumns);
      if (fixed == nullptr)
        finish(reinterpret_cast<const float*>(sums), kPairColumns, count, columns, here);
      else
        finish_digits(reinterpret_cast<const std::int32_t*>(sums), count / way_.lines(), columns, fixed + first,
                      way_.flip != 0, here);
    };
  }

  // A single strip passes the weights once: what has just been packed should be near, and no sum waits for long.
  void strip(const PreparedFloats& prepared, std::int64_t first, std::int64_t rows, std::int64_t panel,
             std::int64_t panels) const {
    // The sums of tiles do not depend on the cut; those of words do, and must not depend on where the weights lie.
    const std::int64_t cut = packed_ != nullptr && !kernel_.interleaved ? steps_ : std::min(steps_, kStripCut);
    multiply_block(
        kernel_, {prepared, 0, rows, steps_, cut, panels, nullptr}, nullptr, 0,
        [&](std::int64_t step, std::int64_t count) { return weights(panel, panels, step, count, cut); },
        finish_at(ending_at(first, panel).results, panel, prepared.fixed));
  }

  // Rows [part, part + rows) of `prepared`, which begins at row `first` of x, in blocks. Weights as stored are packed
  // once for all of them.
  static void blocks(std::span<const TiledProduct* const> products, const PreparedFloats& prepared, std::int64_t first,
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
        gate.y = scratch<float>(Purpose::gate, static_cast<std::size_t>(count / products[0]->way_.lines() * columns));
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
    return {nullptr, all.at(row / way_.lines(), panel * kPanelColumns), past_caches(kernel_, p_.m, p_.n, all)};
  }

  // Rows [row, row + count) of `prepared` by some panels, which are in `own` unless that is null, ended as
  // `ending` says from the first of them on.
  void block(const PreparedFloats& prepared, std::int64_t row, std::int64_t count, std::int64_t panel,
             std::int64_t panels, const std::byte* own, const SumEnding& ending) const {
    const std::int64_t cut = cut_of(kernel_, steps_);
    const FixedRow* fixed = prepared.fixed == nullptr ? nullptr : prepared.fixed + row / way_.lines();
    multiply_block(
        kernel_, {prepared, row, count, steps_, cut, panels, nullptr}, fixed == nullptr ? &ending : nullptr,
        p_.n - panel * kPanelColumns,
        [&](std::int64_t step, std::int64_t steps) {
          return own != nullptr ? PackedPanels{own + step * kPanelStep, steps_ * kPanelStep, true}
                                : weights(panel, panels, step, steps, cut);
        },
        finish_at(ending.results, panel, fixed));
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
    if (p_.dtype == way_.panels) return pack_panel(from, p_.k * stored, rows, terms * stored, to, way_.flip);
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

// More rows of float32 by float32 weights, which need no widening, are sgemm's.
constexpr std::int64_t kOwnFloat32Rows = 64;

}  // namespace

bool float_product(const FloatProduct& p, FloatEngine engine, FloatMath math) {
  const Way way = way_for(p, engine, math);
  if (way.kernel == nullptr || p.k == 0) return false;
  if (p.dtype == DType::f32 && p.m > kOwnFloat32Rows) return false;
  if (p.m <= way.streamed_rows) {
    stream(p, engine, reads_panels(p, way) ? p.panels->ready() : nullptr);
    return true;
  }
  const TiledProduct product(p, way);
  const TiledProduct* const one = &product;
  TiledProduct::run({&one, 1});
  return true;
}

bool float_products(const FloatProduct& first, const FloatProduct& second, FloatEngine engine, FloatMath math) {
  const Way way = way_for(first, engine, math);
  if (way.kernel == nullptr || first.k == 0 || first.dtype == DType::f32 || first.m <= way.streamed_rows) return false;
  if (second.dtype != first.dtype || second.n != first.n || second.k != first.k) return false;
  const TiledProduct one(first, way);
  const TiledProduct other(second, way);
  const TiledProduct* const both[] = {&one, &other};
  TiledProduct::run(both);
  return true;
}

}  // namespace octavo::gemm
