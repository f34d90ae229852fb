// float32 products by vectors of four, which every compiler has for every processor: 4 rows by two of them. Products
// are rounded before they are added.
#include <cstring>

#define OCTAVO_TARGET
#include "sgemm_tile.hpp"

namespace octavo::gemm {

namespace {

struct V {
  using Vector = float __attribute__((vector_size(16)));
  static constexpr std::int64_t kWidth = 4;
  static constexpr int kRows = 4;
  static Vector zero() { return Vector{}; }
  static Vector load(const float* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static void store(float* p, Vector v) { std::memcpy(p, &v, sizeof v); }
  static Vector broadcast(float x) { return Vector{x, x, x, x}; }
  static Vector add_product(Vector sum, Vector x, Vector y) { return sum + x * y; }
  static Vector times(Vector x, Vector y) { return x * y; }
};

void pack_along(const PanelSource& s, float* panels, std::int64_t apart) {
  for (std::int64_t r = 0; r < s.count; ++r)
    for (std::int64_t i = 0; i < s.k; ++i)
      panels[r / s.used * apart + V::kWidth * i + r % s.used] = s.from[r * s.stride + i];
}

void pack_across(const PanelSource& s, float* panels, std::int64_t apart) {
  for (std::int64_t i = 0; i < s.k; ++i)
    for (std::int64_t r = 0; r < s.count; ++r)
      panels[r / s.used * apart + V::kWidth * i + r % s.used] = s.from[i * s.stride + r];
}

}  // namespace

const SgemmKernel kSgemmPortable{V::kRows, V::kWidth, pack_along, pack_across, sgemm_multiply<V>};

}  // namespace octavo::gemm
