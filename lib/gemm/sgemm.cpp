#include <algorithm>
#include <atomic>

#include "backend.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

namespace {

// The extents of the tiles of C. oneDNN may split a product over its threads along K, and sums then depend on how many
// there are. So C is cut here, by its shape alone, and each tile is one single-threaded product.
struct Tiles {
  std::int64_t rows, columns;
};

Tiles tiles_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kLargest = 512;  // a tile packs its operands by itself: few tiles waste little
  constexpr std::int64_t kSmallest = 64;
  constexpr std::int64_t kEnough = 16;                         // to share among the cores
  constexpr std::int64_t kWorthACall = std::int64_t{1} << 20;  // products, some 20 us
  Tiles tiles{std::min(m, kLargest), std::min(n, kLargest)};
  const auto count = [&] { return ((m + tiles.rows - 1) / tiles.rows) * ((n + tiles.columns - 1) / tiles.columns); };
  while (count() < kEnough && std::max(tiles.rows, tiles.columns) > kSmallest &&
         tiles.rows * tiles.columns > 2 * kWorthACall / k) {
    std::int64_t& longer = tiles.rows > tiles.columns ? tiles.rows : tiles.columns;
    longer = (longer / 2 + 15) / 16 * 16;
  }
  return tiles;
}

}  // namespace

void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
           std::int64_t ldb, float* c, std::int64_t ldc, const SgemmOptions& options) {
  if (m < 0 || n < 0 || k < 0)
    throw Error(ErrorCode::invalid_argument, "sgemm: sizes must not be negative: m " + std::to_string(m) + ", n " +
                                                 std::to_string(n) + ", k " + std::to_string(k));
  const auto leading = [](const char* name, std::int64_t given, std::int64_t least) {
    if (given < least)
      throw Error(ErrorCode::shape_mismatch,
                  std::string("sgemm: the leading dimension of ") + name + " is " + std::to_string(given) +
                      ", its rows are " + std::to_string(least) + " long",
                  ShapeDetail{"sgemm", "", name, 1, "leading dimension", least, given});
  };
  if (m == 0 || n == 0) return;
  leading("a", lda, options.transpose_a ? m : k);
  leading("b", ldb, options.transpose_b ? k : n);
  leading("c", ldc, n);
  if (k == 0) {  // oneDNN leaves C alone then
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = options.beta == 0 ? 0 : options.beta * c[i * ldc + j];
    return;
  }
  const Tiles tiles = tiles_of(m, n, k);
  const std::int64_t across = (n + tiles.columns - 1) / tiles.columns;
  const std::int64_t down = (m + tiles.rows - 1) / tiles.rows;
  std::atomic<int> status{0};
  parallel_for(across * down, 1, [&](std::int64_t begin, std::int64_t end) {
    const SerialRegion alone;
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t i = tile / across * tiles.rows;
      const std::int64_t j = tile % across * tiles.columns;
      const int result = gemm::onednn_sgemm(
          std::min(tiles.rows, m - i), std::min(tiles.columns, n - j), k, a + (options.transpose_a ? i : i * lda), lda,
          b + (options.transpose_b ? j * ldb : j), ldb, c + i * ldc + j, ldc, options);
      if (result != 0) status = result;
    }
  });
  if (status != 0)
    throw Error(ErrorCode::internal, "sgemm: oneDNN refused m " + std::to_string(m) + ", n " + std::to_string(n) +
                                         ", k " + std::to_string(k) + " with status " + std::to_string(status));
}

}  // namespace octavo
