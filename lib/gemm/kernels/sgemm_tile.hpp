// The tile of a float32 product for any vector. Before including this, a file defines OCTAVO_TARGET; its V has Vector
// (kWidth floats), zero(), load(p), store(p, v), broadcast(x), add_product(sum, x, y) = x * y + sum, and times(x, y).
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "sgemm_kernel.hpp"

namespace octavo::gemm {

namespace {

template <class V>
OCTAVO_TARGET inline typename V::Vector scaled(typename V::Vector sum, const float* c, const SgemmTile& t) {
  const typename V::Vector product = V::times(sum, V::broadcast(t.alpha));
  return t.beta == 0.0F ? product : V::add_product(product, V::load(c), V::broadcast(t.beta));
}

// Sums stay in registers: every loop over them is unrolled.
template <class V, int rows>
OCTAVO_TARGET void sgemm_tile(const SgemmTile& t) {
  constexpr std::int64_t width = V::kWidth;
  constexpr std::int64_t kLine = 16;  // floats
  typename V::Vector sums[rows][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    __builtin_prefetch(t.c + r * t.ldc, 1, 2);
    __builtin_prefetch(t.c + r * t.ldc + 2 * width - 1, 1, 2);
    sums[r][0] = sums[r][1] = V::zero();
  }
  const float* x = t.strip;
  const float* left = t.left;
  const float* right = t.right;
  for (std::int64_t done = 0; done < t.k; done += kLine) {
    __builtin_prefetch(t.next + done, 0, 2);
    const std::int64_t steps = done + kLine <= t.k ? kLine : t.k - done;
    for (std::int64_t k = 0; k < steps; ++k, x += width, left += width, right += width) {
      __builtin_prefetch(x + 20 * width);
      __builtin_prefetch(left + 8 * width);
      __builtin_prefetch(right + 8 * width);
      const typename V::Vector w0 = V::load(left);
      const typename V::Vector w1 = V::load(right);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const typename V::Vector each = V::broadcast(x[r]);
        sums[r][0] = V::add_product(sums[r][0], each, w0);
        sums[r][1] = V::add_product(sums[r][1], each, w1);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      float* const c = t.c + r * t.ldc + v * width;
      const std::int64_t columns = t.columns - v * width;
      if (columns >= width) {
        V::store(c, scaled<V>(sums[r][v], c, t));
      } else if (columns > 0) {  // the same arithmetic, beside C
        const auto bytes = static_cast<std::size_t>(columns) * sizeof(float);
        float part[V::kWidth] = {};
        if (t.beta != 0.0F) std::memcpy(part, c, bytes);
        V::store(part, scaled<V>(sums[r][v], part, t));
        std::memcpy(c, part, bytes);
      }
    }
}

template <class V, int... index>
void sgemm_tile_of(const SgemmTile& t, std::integer_sequence<int, index...>) {
  using Tile = void (*)(const SgemmTile&);
  static constexpr Tile kTiles[] = {sgemm_tile<V, index + 1>...};
  kTiles[t.rows - 1](t);
}

template <class V>
void sgemm_multiply(const SgemmTile& t) {
  sgemm_tile_of<V>(t, std::make_integer_sequence<int, V::kRows>());
}

}  // namespace

}  // namespace octavo::gemm
