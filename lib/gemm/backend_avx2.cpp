// The int8 product for processors with AVX2 but without VNNI, where oneDNN's saturates: bytes are widened to int16, so
// that every sum of two products is exact (2 * 128 * 128 < 2^31).
#include <algorithm>

#include "backend.hpp"
#include "octavo/detail/pooled.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define OCTAVO_HAS_AVX2 1
#include <immintrin.h>
#endif

namespace octavo::gemm {

#ifdef OCTAVO_HAS_AVX2

namespace {

constexpr std::int64_t kColumns = 16;  // of a panel: two vectors of eight int32 sums
constexpr int kRows = 6;               // of a tile: 12 sums, 2 weight vectors and 2 to work with fill the 16 registers

// low += w0 * x and high += w1 * x, for the two int16 at x. Not intrinsics: compilers load the words of all rows first,
// and keep the sums in memory then, which takes half as long again.
__attribute__((target("avx2"), always_inline)) inline void add_row(__m256i& low, __m256i& high, __m256i w0, __m256i w1,
                                                                   const std::int16_t* x) {
  __m256i pair, product;
  __asm__(
      "vpbroadcastd %[word], %[pair]\n\t"
      "vpmaddwd %[pair], %[w0], %[product]\n\t"
      "vpmaddwd %[pair], %[w1], %[pair]\n\t"
      "vpaddd %[product], %[low], %[low]\n\t"
      "vpaddd %[pair], %[high], %[high]"
      : [low] "+x"(low), [high] "+x"(high), [pair] "=&x"(pair), [product] "=&x"(product)
      : [w0] "x"(w0), [w1] "x"(w1), [word] "m"(*reinterpret_cast<const char(*)[4]>(x)));
}

// Sums of one tile. weights: one panel, [K/2][16 columns][2] bytes. activations: one group, [K/2][rows][2] int16.
template <int rows>
__attribute__((target("avx2"))) void tile(const std::int8_t* weights, const std::int16_t* activations,
                                          std::int64_t pairs, std::int32_t* sums) {
  __m256i low[rows];
  __m256i high[rows];
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r) low[r] = high[r] = _mm256_setzero_si256();
  for (std::int64_t p = 0; p < pairs; ++p) {
    const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights)));
    const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + 16)));
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) add_row(low[r], high[r], w0, w1, activations + 2 * r);
    weights += 2 * kColumns;
    activations += 2 * rows;
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + r * kColumns), low[r]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + r * kColumns + 8), high[r]);
  }
}

using Tile = void (*)(const std::int8_t*, const std::int16_t*, std::int64_t, std::int32_t*);
constexpr Tile kTiles[kRows + 1] = {nullptr, tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};

class PackedAvx2 final : public PackedS8 {
 public:
  PackedAvx2(const std::int8_t* weight, std::int64_t n, std::int64_t k)
      : n_(n), k_(k), pairs_((k + 1) / 2), panels_((n + kColumns - 1) / kColumns) {
    packed_.resize(static_cast<std::size_t>(panels_ * panel_bytes()));  // what lies beyond N and K stays 0
    parallel_for(panels_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t column = begin * kColumns; column < std::min(n_, end * kColumns); ++column) {
        std::int8_t* to = packed_.data() + column / kColumns * panel_bytes() + column % kColumns * 2;
        const std::int8_t* from = weight + column * k_;
        for (std::int64_t i = 0; i < k_; ++i) to[i / 2 * 2 * kColumns + i % 2] = from[i];
      }
    });
  }

  std::size_t size_bytes() const noexcept override { return packed_.size(); }

  void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const override {
    const std::int64_t groups = (m + kRows - 1) / kRows;
    auto* const wide = scratch<std::int16_t>(Purpose::rows, static_cast<std::size_t>(m * pairs_ * 2));  // in groups
    parallel_for(groups, std::max<std::int64_t>(1, 16384 / (kRows * pairs_ + 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin * kRows; row < std::min(m, end * kRows); ++row) {
                     const std::int64_t rows = rows_of(row / kRows, m);
                     std::int16_t* to = wide + row / kRows * kRows * pairs_ * 2 + row % kRows * 2;
                     const std::int8_t* from = a + row * k_;
                     for (std::int64_t i = 0; i < k_; ++i) to[i / 2 * 2 * rows + i % 2] = std::int16_t{from[i]};
                     if (k_ % 2 != 0) to[k_ / 2 * 2 * rows + 1] = 0;
                   }
                 });
    parallel_for(
        panels_, std::max<std::int64_t>(1, 65536 / (m * pairs_ * 2 + 1)), [&](std::int64_t begin, std::int64_t end) {
          std::int32_t sums[kRows * kColumns];
          for (std::int64_t panel = begin; panel < end; ++panel) {
            const std::int64_t columns = std::min(kColumns, n_ - panel * kColumns);
            for (std::int64_t group = 0; group < groups; ++group) {
              const std::int64_t rows = rows_of(group, m);
              kTiles[rows](packed_.data() + panel * panel_bytes(), wide + group * kRows * pairs_ * 2, pairs_, sums);
              for (std::int64_t r = 0; r < rows; ++r)
                std::copy_n(sums + r * kColumns, columns, acc + (group * kRows + r) * n_ + panel * kColumns);
            }
          }
        });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  static std::int64_t rows_of(std::int64_t group, std::int64_t m) {
    return std::min<std::int64_t>(kRows, m - group * kRows);
  }
  std::int64_t panel_bytes() const { return pairs_ * 2 * kColumns; }

  std::int64_t n_, k_, pairs_, panels_;
  detail::PooledVector<std::int8_t> packed_{
      detail::PooledAllocator<std::int8_t>(detail::no_pool())};  // [panels][K/2][16 columns][2]
};

std::unique_ptr<PackedS8> pack(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedAvx2>(weight, n, k);
}

bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") != 0; }  // the operating system's part included

}  // namespace

const Backend kAvx2Backend{"avx2", "int16 products, weights packed once", kMaxInFeatures, has_avx2, pack};

#else

const Backend kAvx2Backend{"avx2", "", kMaxInFeatures, []() noexcept { return false; }, nullptr};

#endif

}  // namespace octavo::gemm
