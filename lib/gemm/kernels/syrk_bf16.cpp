#include "syrk_bf16.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "octavo/detail/clones.hpp"
#include "tile_loops.hpp"

namespace octavo::gemm {

namespace {

// Terms of K at a time: both forms of x are then bounded, and C is read and written once for so many.
constexpr std::int64_t kMostTerms = 2048;
constexpr std::int64_t kStepTerms = kStepBytes / 2;
constexpr std::int64_t kGroupPanels = kBlockPanels;  // of a task: one or more blocks of rows by them

inline std::uint32_t bf16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return (nan ? bits | 0x00400000U : bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
}

// A step of 16 columns: words of two terms each, [kStepTerms / 2][16].
OCTAVO_CLONES void words_of_step(const float* x, std::int64_t ldx, std::uint32_t* words) {
  for (std::int64_t t = 0; t < kStepTerms; t += 2, words += 16)
    for (std::int64_t j = 0; j < 16; ++j) words[j] = bf16_of(x[t * ldx + j]) | bf16_of(x[(t + 1) * ldx + j]) << 16U;
}

class Syrk {
 public:
  Syrk(const TileKernel& kernel, std::int64_t n, float* c, std::int64_t ldc)
      : kernel_(kernel),
        n_(n),
        c_(c),
        ldc_(ldc),
        panels_((n + 2 * kPanelColumns - 1) / (2 * kPanelColumns) * 2),
        strips_((n + kernel.rows - 1) / kernel.rows) {}

  void add(const float* x, std::int64_t ldx, std::int64_t terms) {
    steps_ = (terms + kStepTerms - 1) / kStepTerms;
    auto* const panels = scratch<std::byte>(Purpose::panels, static_cast<std::size_t>(panels_ * panel_stride()));
    auto* const strips = scratch<std::byte>(Purpose::rows, static_cast<std::size_t>(strips_ * strip_stride()));
    pack(x, ldx, terms, panels, strips);
    multiply(panels, strips);
  }

 private:
  std::int64_t panel_stride() const { return steps_ * kPanelStep; }
  std::int64_t strip_stride() const { return kernel_.rows * steps_ * kStepBytes; }

  // Columns of x as the kernel reads its second operand, and as it reads its first. A group of them at a time, so that
  // rows of x are read in long pieces.
  void pack(const float* x, std::int64_t ldx, std::int64_t terms, std::byte* panels, std::byte* strips) const {
    parallel_for((panels_ + kGroupPanels - 1) / kGroupPanels, 1, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t last = std::min(panels_, end * kGroupPanels);
      for (std::int64_t step = 0; step < steps_; ++step)
        for (std::int64_t panel = begin * kGroupPanels; panel < last; ++panel) {
          std::byte* to = panels + panel * panel_stride() + step * kPanelStep;
          pack_step(x, ldx, terms, step, panel * kPanelColumns, kPanelColumns, to);
          if (!kernel_.interleaved)  // a tile of rows is that of weights turned; two of them are a strip
            pack_panel(to, kStepBytes, 16, kStepBytes,
                       strips + panel / 2 * strip_stride() + step * 2 * kPanelStep + panel % 2 * kPanelStep);
        }
    });
    if (!kernel_.interleaved) return;
    parallel_for((strips_ + kGroupPanels - 1) / kGroupPanels, 1, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t last = std::min(strips_, end * kGroupPanels);
      for (std::int64_t step = 0; step < steps_; ++step)
        for (std::int64_t strip = begin * kGroupPanels; strip < last; ++strip) {
          alignas(64) std::uint32_t words[kPanelStep / 4];
          pack_step(x, ldx, terms, step, strip * kernel_.rows, kernel_.rows, reinterpret_cast<std::byte*>(words));
          std::byte* to = strips + strip * strip_stride() + step * kernel_.rows * kStepBytes;
          for (std::int64_t word = 0; word < 16; ++word, to += kernel_.rows * 4)
            std::memcpy(to, words + word * 16, static_cast<std::size_t>(kernel_.rows * 4));
        }
    });
  }

  // `width` columns from `column`, those beyond N and terms beyond K as zeros.
  void pack_step(const float* x, std::int64_t ldx, std::int64_t terms, std::int64_t step, std::int64_t column,
                 std::int64_t width, std::byte* to) const {
    const std::int64_t count = std::clamp<std::int64_t>(n_ - column, 0, width);
    const std::int64_t rows = std::min(kStepTerms, terms - step * kStepTerms);
    const float* from = x + step * kStepTerms * ldx + column;
    auto* words = reinterpret_cast<std::uint32_t*>(to);
    if (count == 16 && rows == kStepTerms) return words_of_step(from, ldx, words);
    float padded[kStepTerms * 16] = {};
    for (std::int64_t t = 0; t < rows && count > 0; ++t) std::copy_n(from + t * ldx, count, padded + t * 16);
    words_of_step(padded, 16, words);
  }

  struct Part {
    std::int64_t row, rows, panel, panels;
  };

  // Blocks that hold a part of the lower triangle. Each belongs to one thread.
  std::vector<Part> blocks() const {
    const std::int64_t padded = strips_ * kernel_.rows;
    const std::int64_t height = block_rows_of(kernel_, padded, kernel_.block_rows);
    std::vector<Part> found;
    for (std::int64_t row = 0; row < padded; row += height) {
      const std::int64_t rows = std::min(height, padded - row);
      const std::int64_t needed = std::min(panels_, (row + rows + 2 * kPanelColumns - 1) / (2 * kPanelColumns) * 2);
      for (std::int64_t panel = 0; panel < needed; panel += kGroupPanels)
        found.push_back({row, rows, panel, std::min(kGroupPanels, needed - panel)});
    }
    return found;
  }

  void multiply(const std::byte* panels, const std::byte* strips) const {
    const std::vector<Part> all = blocks();
    parallel_for(static_cast<std::int64_t>(all.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Part& block = all[static_cast<std::size_t>(i)];
        const std::byte* from = panels + block.panel * panel_stride();
        const SumEnding below{
            nullptr,
            {nullptr, nullptr, Ending::add, c_ + block.row * ldc_ + block.panel * kPanelColumns, ldc_, nullptr, 0},
            false};
        const bool all_below =
            (block.panel + block.panels) * kPanelColumns <= block.row && block.row + block.rows <= n_;
        multiply_block(
            kernel_,
            {{strips, strip_stride()}, block.row, block.rows, steps_, cut_of(kernel_, steps_), block.panels, nullptr},
            all_below ? &below : nullptr, block.panels * kPanelColumns,
            [&](std::int64_t step, std::int64_t) {
              return PackedPanels{from + step * kPanelStep, panel_stride(), true};
            },
            [&](const std::byte* sums, std::int64_t panel, std::int64_t row, std::int64_t count) {
              add_sums(reinterpret_cast<const float*>(sums), block.row + row, count,
                       (block.panel + panel) * kPanelColumns);
            });
      }
    });
  }

  // Of [rows][32] sums from row `first`, what lies on and below the diagonal.
  void add_sums(const float* sums, std::int64_t first, std::int64_t rows, std::int64_t column) const {
    constexpr std::int64_t kColumns = 2 * kPanelColumns;
    for (std::int64_t i = std::max<std::int64_t>(0, column - first); i < std::min(rows, n_ - first); ++i) {
      const std::int64_t row = first + i;
      float* to = c_ + row * ldc_ + column;
      const std::int64_t count = std::min(kColumns, row + 1 - column);
      for (std::int64_t j = 0; j < count; ++j) to[j] += sums[i * kColumns + j];
    }
  }

  const TileKernel& kernel_;
  std::int64_t n_;
  float* c_;
  std::int64_t ldc_;
  std::int64_t panels_;  // an even number
  std::int64_t strips_;
  std::int64_t steps_ = 0;
};

}  // namespace

bool syrk_bf16(std::int64_t n, std::int64_t k, const float* x, std::int64_t ldx, float* c, std::int64_t ldc,
               FloatEngine engine) {
  if (engine != FloatEngine::amx_bf16 && engine != FloatEngine::avx512_bf16) return false;
  Syrk sums(engine == FloatEngine::amx_bf16 ? kAmxOnePartKernel : kAvx512Bf16Kernel, n, c, ldc);
  for (std::int64_t begin = 0; begin < k; begin += kMostTerms)
    sums.add(x + begin * ldx, ldx, std::min(kMostTerms, k - begin));
  return true;
}

}  // namespace octavo::gemm
