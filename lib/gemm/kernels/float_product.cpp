#include "float_product.hpp"

#include <algorithm>
#include <bit>

#include "backend.hpp"
#include "cpu.hpp"
#include "dot.hpp"
#include "fixed_point.hpp"
#include "octavo/detail/clones.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

enum class RowForm : std::uint8_t { f32, split_bf16, rounded_bf16 };

constexpr std::int64_t kLine = 32;  // bf16 of a row in a step

// Values as three bf16, `part` apart: cutting float32's 24 bits of significand into 8 + 8 + 8 leaves no rest. What is
// not finite stays in the first.
inline void split(const float* x, std::int64_t count, std::uint16_t* to, std::int64_t part) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    const std::uint32_t quiet = magnitude > 0x7f800000U ? 0x00400000U : 0U;  // a NaN whose low bits alone say so
    const std::uint32_t high = (bits | quiet) & 0xffff0000U;
    const float rest = x[i] - std::bit_cast<float>(high);
    const std::uint32_t rest_bits = magnitude >= 0x7f800000U ? 0U : std::bit_cast<std::uint32_t>(rest);
    const std::uint32_t middle = rest_bits & 0xffff0000U;
    const float low = std::bit_cast<float>(rest_bits) - std::bit_cast<float>(middle);
    to[i] = static_cast<std::uint16_t>(high >> 16U);
    to[part + i] = static_cast<std::uint16_t>(middle >> 16U);
    to[2 * part + i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(low) >> 16U);
  }
}

inline void round_half_to_even(const float* x, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]);
    const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
    const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16U) & 1U);
    to[i] = static_cast<std::uint16_t>((nan ? bits | 0x00400000U : rounded) >> 16U);
  }
}

// `rows` rows in lines: [step of K][part][row][kLine], by the step, so that what is written is written in order. Whole
// lines apart from the rest, so that their loops are unrolled.
OCTAVO_CLONES void split_rows(const float* x, std::int64_t rows, std::int64_t k, std::uint16_t* to) {
  const std::int64_t part = rows * kLine;
  for (std::int64_t i = 0; i < k; i += kLine, to += 3 * part)
    for (std::int64_t r = 0; r < rows; ++r)
      if (i + kLine <= k)
        split(x + r * k + i, kLine, to + r * kLine, part);
      else
        split(x + r * k + i, k - i, to + r * kLine, part);
}

OCTAVO_CLONES void round_rows(const float* x, std::int64_t rows, std::int64_t k, std::uint16_t* to) {
  for (std::int64_t i = 0; i < k; i += kLine, to += rows * kLine)
    for (std::int64_t r = 0; r < rows; ++r)
      if (i + kLine <= k)
        round_half_to_even(x + r * k + i, kLine, to + r * kLine);
      else
        round_half_to_even(x + r * k + i, k - i, to + r * kLine);
}

OCTAVO_CLONES void bytes_to_bf16(const std::int8_t* from, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i)  // exact: 8 bits of significand hold every byte
    to[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(from[i])) >> 16U);
}

inline void scale_row(const float* sums, const float* scale, const float* bias, std::int64_t count, float* to) {
  if (scale != nullptr && bias != nullptr)
    for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] * scale[j] + bias[j];
  else if (scale != nullptr)
    for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] * scale[j];
  else if (bias != nullptr)
    for (std::int64_t j = 0; j < count; ++j) to[j] = sums[j] + bias[j];
  else
    std::copy_n(sums, count, to);
}

// The results of `rows` rows and `columns` columns, which start at the first of them.
OCTAVO_CLONES void finish(const float* sums, std::int64_t sums_stride, std::int64_t rows, std::int64_t columns,
                          const Results& results) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const Results row = results.at(i, 0);
    if (row.ending == Ending::store) {
      scale_row(sums + i * sums_stride, row.channel, row.bias, columns, row.y);
      continue;
    }
    for (std::int64_t first = 0; first < columns; first += kEndedTogether) {
      const std::int64_t count = std::min(kEndedTogether, columns - first);
      const Results part = row.at(0, first);
      float scaled[kEndedTogether];
      scale_row(sums + i * sums_stride + first, part.channel, part.bias, count, scaled);
      end_row(part.ending, scaled, count, part.y);
    }
  }
}

Results results_of(const FloatProduct& p) { return {p.scale, p.bias, p.ending, p.y, p.n}; }

constexpr std::int64_t kStripCut = 16;
constexpr std::int64_t kLeastRowsOfAPart = 96;  // so that packing a part's panels stays a small share of its work
constexpr std::int64_t kPreparedBytes = std::int64_t{64} << 20;  // of rows in the kernel's form

struct Way {
  const TileKernel* kernel = nullptr;
  RowForm rows = RowForm::f32;
  DType panels = DType::f32;
};

Way way_for(DType weight, FloatEngine engine, FloatMath math) {
  if (engine < FloatEngine::avx512) return {};
  const bool narrow = weight == DType::bf16 || weight == DType::s8;
  if (narrow && engine == FloatEngine::avx512_bf16 && math == FloatMath::bf16)
    return {&kAvx512Bf16Kernel, RowForm::rounded_bf16, DType::bf16};
  if (narrow && engine == FloatEngine::amx_bf16)
    return math == FloatMath::bf16 ? Way{&kAmxRoundedKernel, RowForm::rounded_bf16, DType::bf16}
                                   : Way{&kAmxSplitKernel, RowForm::split_bf16, DType::bf16};
  return {&kAvx512FmaKernel, RowForm::f32, DType::f32};
}

class TiledProduct {
 public:
  TiledProduct(const FloatProduct& product, const Way& way)
      : p_(product),
        kernel_(*way.kernel),
        way_(way),
        element_(static_cast<std::int64_t>(size_of(way.panels))),
        steps_(steps_of(product.k * element_)),
        panels_((product.n + kPanelColumns - 1) / kPanelColumns) {}

  // Some rows after the other, so that the working memory is bounded; the weights are packed anew for each, and for
  // each block of rows.
  void run() const {
    const std::int64_t most = std::max(kernel_.block_rows, kPreparedBytes / row_bytes() / kernel_.rows * kernel_.rows);
    const std::int64_t together = block_rows_of(kernel_, p_.m, most);
    for (std::int64_t row = 0; row < p_.m; row += together) {
      const std::int64_t rows = std::min(together, p_.m - row);
      const PreparedRows prepared = prepare(p_.x + row * p_.k, rows);
      for_blocks(rows, rows_of_a_part(rows), panels_, steps_,
                 [&](std::int64_t part, std::int64_t count, std::int64_t panel, std::int64_t panels) {
                   if (rows <= kernel_.rows)
                     strip(prepared, row, rows, panel, panels);
                   else
                     blocks(prepared, row, part, count, panel, panels);
                 });
    }
  }

 private:
  // All rows, as long as there are panels enough for all threads: each part packs its own.
  std::int64_t rows_of_a_part(std::int64_t rows) const {
    const std::int64_t wide = (panels_ + kBlockPanels - 1) / kBlockPanels;
    const std::int64_t down = std::min((2 * num_threads() + wide - 1) / wide, rows / kLeastRowsOfAPart);
    return down <= 1 ? rows : block_rows_of(kernel_, rows, (rows + down - 1) / down);
  }

  PreparedRows prepare(const float* x, std::int64_t m) const {
    const std::int64_t strips = (m + kernel_.rows - 1) / kernel_.rows;
    const std::int64_t stride = (kernel_.interleaved ? 16 : kernel_.rows) * kernel_.parts * steps_ * kStepBytes;
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
          narrow(from, rows, to + strip * stride);
      }
    });
    return {to, stride};
  }

  void round_and_interleave(const float* x, std::int64_t rows, std::byte* to) const {
    auto* rounded = scratch<std::uint16_t>(Purpose::widened, static_cast<std::size_t>(rows * p_.k));
    for (std::int64_t r = 0; r < rows; ++r) round_rows(x + r * p_.k, 1, p_.k, rounded + r * p_.k);
    interleave_rows(rounded, p_.k * 2, rows, p_.k * 2, 0, to);
  }

  void narrow(const float* x, std::int64_t rows, std::byte* to) const {
    auto* lines = reinterpret_cast<std::uint16_t*>(to);
    const std::int64_t part = rows * kLine;  // values between the parts of a row
    const std::int64_t step = part * kernel_.parts;
    if (p_.k % kLine != 0)  // what lies beyond K
      std::fill_n(lines + (steps_ - 1) * step, step, std::uint16_t{0});
    if (way_.rows == RowForm::split_bf16)
      split_rows(x, rows, p_.k, lines);
    else
      round_rows(x, rows, p_.k, lines);
  }

  std::int64_t row_bytes() const { return kernel_.parts * steps_ * kStepBytes; }

  // For multiply_block: takes the sums of pairs of panels, counted from `panel`, to y.
  auto finish_at(std::int64_t first, std::int64_t panel) const {
    return [=, this](const std::byte* sums, std::int64_t pair, std::int64_t row, std::int64_t count) {
      const std::int64_t column = (panel + pair) * kPanelColumns;
      finish(reinterpret_cast<const float*>(sums), 2 * kPanelColumns, count, std::min(2 * kPanelColumns, p_.n - column),
             results_of(p_).at(first + row, column));
    };
  }

  // A single strip passes the weights once: what has just been packed should be near, and no sum waits for long.
  void strip(const PreparedRows& prepared, std::int64_t first, std::int64_t rows, std::int64_t panel,
             std::int64_t panels) const {
    const std::int64_t cut = std::min(steps_, kStripCut);
    auto* packed = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(panels * cut * kPanelStep));
    multiply_block(
        kernel_, prepared, 0, rows, steps_, cut, panels, nullptr, nullptr, 0,
        [&](std::int64_t step, std::int64_t count) {
          pack(panel, panels, step, count, packed, cut * kPanelStep);
          return PackedPanels{packed, cut * kPanelStep, false};
        },
        finish_at(first, panel));
  }

  // Rows [part, part + rows) of `prepared`, which begins at row `first` of x, in blocks, by panels that are packed once
  // for all of them.
  void blocks(const PreparedRows& prepared, std::int64_t first, std::int64_t part, std::int64_t rows,
              std::int64_t panel, std::int64_t panels) const {
    const std::int64_t stride = steps_ * kPanelStep;
    auto* packed = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(panels * stride));
    pack(panel, panels, 0, steps_, packed, stride);
    const std::int64_t block_rows = block_rows_of(kernel_, rows, kernel_.block_rows);
    for (std::int64_t row = part; row < part + rows; row += block_rows) {
      const std::int64_t count = std::min(block_rows, part + rows - row);
      multiply_block(
          kernel_, prepared, row, count, steps_, std::min(steps_, kernel_.cut_steps), panels, nullptr,
          p_.y + (first + row) * p_.n + panel * kPanelColumns, p_.n * 4,
          [&](std::int64_t step, std::int64_t) {
            return PackedPanels{packed + step * kPanelStep, stride, true};
          },
          finish_at(first + row, panel));
    }
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
  const TileKernel& kernel_;
  Way way_;
  std::int64_t element_;  // bytes of a panel's element
  std::int64_t steps_, panels_;
};

void stream(const FloatProduct& p) {
  const std::int64_t row_bytes = p.k * static_cast<std::int64_t>(size_of(p.dtype));
  const std::int64_t groups = (p.n + 3) / 4;  // rows of the weight are read four at a time
  FloatProduct sums = p;
  if (p.ending != Ending::store) sums.y = scratch<float>(Purpose::sums, static_cast<std::size_t>(p.m * p.n));
  const FewRows rows(sums);
  parallel_for(groups, std::max<std::int64_t>(1, kWorthAThread / (4 * row_bytes + 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 const std::int64_t first = 4 * begin;
                 const std::int64_t count = std::min(p.n, 4 * end) - first;
                 rows.stream(first, count);
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
  if (p.m <= kStreamedRows)
    stream(p);
  else
    TiledProduct(p, way).run();
  return true;
}

}  // namespace octavo::gemm
