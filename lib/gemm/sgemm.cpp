#include <algorithm>

#include "kernels/float_product.hpp"
#include "kernels/sgemm_kernel.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

namespace octavo {

namespace {

using gemm::SgemmKernel;

constexpr std::int64_t up_to_multiple(std::int64_t value, std::int64_t of) { return (value + of - 1) / of * of; }

// Terms of K that are summed before C takes them, and rows of A that are packed at a time: together they stay in the
// second cache.
constexpr std::int64_t kCut = 512;
constexpr std::int64_t kBlockRows = 384;

const SgemmKernel& chosen_kernel() {
  switch (gemm::chosen_float_engine()) {
    case gemm::FloatEngine::portable:
      return gemm::kSgemmPortable;
    case gemm::FloatEngine::avx2:
      return gemm::kSgemmAvx2;
    default:
      return gemm::kSgemmAvx512;
  }
}

// Which rows and columns of C a thread computes at a time. Each element's sum has the same order in every tile (one cut
// of K after the other, term after term), so that the division may depend on the number of threads. A cut of a tile's
// rows of A stays in the second cache; both operands are packed anew for each tile, which large ones make cheap.
struct Tiles {
  std::int64_t rows, columns;
};

Tiles tiles_of(const SgemmKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kMostRows = 3840, kMostColumns = 1024;
  constexpr std::int64_t kSmallest = 64;
  constexpr std::int64_t kWorthATile = std::int64_t{1} << 20;  // products, some 10 us
  const std::int64_t threads = num_threads();
  const std::int64_t enough = threads == 1 ? 1 : 2 * threads;  // to share evenly
  std::int64_t down = (m + kMostRows - 1) / kMostRows;
  std::int64_t across = (n + kMostColumns - 1) / kMostColumns;
  const auto rows = [&] { return up_to_multiple((m + down - 1) / down, kernel.rows); };
  const auto columns = [&] { return up_to_multiple((n + across - 1) / across, 2 * kernel.width); };
  while (down * across < enough && std::max(rows(), columns()) > kSmallest && rows() * columns() > 2 * kWorthATile / k)
    ++(rows() > columns() ? down : across);
  return {rows(), columns()};
}

class Product {
 public:
  Product(const SgemmKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
          const float* b, std::int64_t ldb, float* c, std::int64_t ldc, const SgemmOptions& options)
      : kernel_(kernel), m_(m), n_(n), k_(k), a_(a), lda_(lda), b_(b), ldb_(ldb), c_(c), ldc_(ldc), o_(options) {}

  void run() const {
    const Tiles tiles = tiles_of(kernel_, m_, n_, k_);
    const std::int64_t across = (n_ + tiles.columns - 1) / tiles.columns;
    const std::int64_t down = (m_ + tiles.rows - 1) / tiles.rows;
    parallel_for(across * down, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t index = begin; index < end; ++index) {
        const std::int64_t i = index / across * tiles.rows;
        const std::int64_t j = index % across * tiles.columns;
        tile(i, std::min(tiles.rows, m_ - i), j, std::min(tiles.columns, n_ - j));
      }
    });
  }

 private:
  void tile(std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t columns) const {
    const std::int64_t apart = gemm::panel_stride(kernel_.width, std::min(k_, kCut));
    const std::int64_t block = std::min(rows, kBlockRows);
    const auto panels = [&](std::int64_t count, std::int64_t used) { return (count + used - 1) / used; };
    auto* const a =
        gemm::scratch<float>(gemm::Purpose::rows, static_cast<std::size_t>(panels(block, kernel_.rows) * apart));
    auto* const b =
        gemm::scratch<float>(gemm::Purpose::panels, static_cast<std::size_t>(panels(columns, kernel_.width) * apart));
    for (std::int64_t cut = 0; cut < k_; cut += kCut) {
      const std::int64_t terms = std::min(kCut, k_ - cut);
      pack(part_of_b(j, columns, cut, terms), kernel_.width, b, apart);
      for (std::int64_t first = 0; first < rows; first += block) {
        const std::int64_t count = std::min(block, rows - first);
        pack(part_of_a(i + first, count, cut, terms), kernel_.rows, a, apart);
        multiply({.strip = a,
                  .left = b,
                  .right = nullptr,
                  .next = nullptr,
                  .rows = count,
                  .columns = columns,
                  .k = terms,
                  .c = c_ + (i + first) * ldc_ + j,
                  .ldc = ldc_,
                  .alpha = o_.alpha,
                  .beta = cut == 0 ? o_.beta : 1.0F},
                 apart);
      }
    }
  }

  // A block of rows by all columns of a tile: a pair of panels of B by every strip of A, then the next pair.
  void multiply(const gemm::SgemmTile& block, std::int64_t apart) const {
    const std::int64_t pair = 2 * kernel_.width;
    for (std::int64_t column = 0; column < block.columns; column += pair) {
      gemm::SgemmTile t = block;
      t.left = block.left + column / kernel_.width * apart;
      t.columns = std::min(pair, block.columns - column);
      t.right = t.columns > kernel_.width ? t.left + apart : t.left;
      t.next = t.left + 2 * apart;
      for (std::int64_t row = 0; row < block.rows; row += kernel_.rows) {
        t.rows = std::min(kernel_.rows, block.rows - row);
        t.c = block.c + row * block.ldc + column;
        kernel_.multiply(t);
        t.strip += apart;
        t.next += t.k;
      }
    }
  }

  // Rows of op(A), or columns of op(B), over some terms, as they lie in memory.
  struct Part {
    const float* from;
    std::int64_t stride, count, terms;
    bool lines;  // of `count` values each, one for each term; otherwise runs of terms
  };
  Part part_of_a(std::int64_t first, std::int64_t count, std::int64_t cut, std::int64_t terms) const {
    return part(a_, lda_, o_.transpose_a, first, count, cut, terms);
  }
  Part part_of_b(std::int64_t first, std::int64_t count, std::int64_t cut, std::int64_t terms) const {
    return part(b_, ldb_, !o_.transpose_b, first, count, cut, terms);
  }
  static Part part(const float* operand, std::int64_t stride, bool lines, std::int64_t first, std::int64_t count,
                   std::int64_t cut, std::int64_t terms) {
    return {operand + (lines ? cut * stride + first : first * stride + cut), stride, count, terms, lines};
  }

  void pack(const Part& part, std::int64_t used, float* to, std::int64_t apart) const {
    const gemm::PanelSource source{part.from, part.stride, part.count, used, part.terms};
    (part.lines ? kernel_.pack_across : kernel_.pack_along)(source, to, apart);
  }

  const SgemmKernel& kernel_;
  std::int64_t m_, n_, k_;
  const float* a_;
  std::int64_t lda_;
  const float* b_;
  std::int64_t ldb_;
  float* c_;
  std::int64_t ldc_;
  SgemmOptions o_;
};

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
  if (k == 0) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = options.beta == 0 ? 0 : options.beta * c[i * ldc + j];
    return;
  }
  Product(chosen_kernel(), m, n, k, a, lda, b, ldb, c, ldc, options).run();
}

}  // namespace octavo
