#include <algorithm>
#include <cmath>
#include <limits>

#include "octavo/attention.hpp"
#include "octavo/detail/elementwise.hpp"
#include "octavo/detail/pooled.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

namespace {

detail::PooledVector<float> inverse_frequencies(double theta, std::int64_t dim) {
  detail::PooledVector<float> frequencies(static_cast<std::size_t>(dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = 1.0F / static_cast<float>(std::pow(
                                theta, static_cast<double>(static_cast<float>(2 * i) / static_cast<float>(dim))));
  return frequencies;
}

/// Which side of the grid is wrong; a whole number of groups is expected.
ShapeDetail wrong_side(const Grid& grid, std::int64_t merge) {
  const std::int64_t sides[] = {grid.t, grid.h, grid.w};
  const char* names[] = {"grid.t", "grid.h", "grid.w"};
  int d = 0;
  while (d < 2 && sides[d] > 0 && (d == 0 || sides[d] % merge == 0)) ++d;
  const std::int64_t least = d == 0 ? 1 : merge;
  return {"grid", "", "grids", d, names[d], std::max(least, sides[d] / least * least), sides[d]};
}

void check_grid(const Grid& grid, std::int64_t merge, std::size_t index) {
  if (grid.t <= 0 || grid.h <= 0 || grid.w <= 0 || grid.h % merge != 0 || grid.w % merge != 0)
    throw Error(ErrorCode::shape_mismatch,
                "image " + std::to_string(index) + " has the grid " + std::to_string(grid.t) + " x " +
                    std::to_string(grid.h) + " x " + std::to_string(grid.w) +
                    " patches; rows and columns must be positive multiples of spatial_merge_size " +
                    std::to_string(merge),
                wrong_side(grid, merge));
  // Keeps the products below far from overflow; an image of 2^20 patches a side would be 14 million pixels wide.
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  if (grid.t > kMost || grid.h > kMost || grid.w > kMost)
    throw Error(ErrorCode::unsupported, "image " + std::to_string(index) + " has more than " + std::to_string(kMost) +
                                            " frames, rows or columns of patches");
}

// Patches of all images. Boundaries are int32, as the model's own are.
std::int64_t count_patches(std::span<const Grid> grids, std::int64_t merge) {
  std::int64_t patches = 0;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    check_grid(grids[i], merge, i);
    patches += grids[i].t * grids[i].h * grids[i].w;
    if (patches > std::numeric_limits<std::int32_t>::max())
      throw Error(ErrorCode::unsupported,
                  "image " + std::to_string(i) + " brings the call to " + std::to_string(patches) +
                      " patches; at most 2147483647 can be counted: give fewer or smaller images");
  }
  return patches;
}

}  // namespace

RotaryTable mrope_table(const Tensor& positions, std::int64_t head_dim, double theta,
                        std::array<std::int64_t, 3> sections, std::string_view module_path) {
  Binder binder(kMropeContract, module_path);
  binder.arg("positions", positions).check();
  if (head_dim <= 0 || head_dim % 2 != 0 || sections[0] < 0 || sections[1] < 0 || sections[2] < 0 ||
      sections[0] + sections[1] + sections[2] != head_dim / 2)
    throw Error(ErrorCode::shape_mismatch,
                "mrope: mrope_section [" + std::to_string(sections[0]) + ", " + std::to_string(sections[1]) + ", " +
                    std::to_string(sections[2]) + "] must sum to head_dim/2 = " + std::to_string(head_dim / 2),
                ShapeDetail{"mrope", std::string(module_path), "mrope_section", 0, "head_dim/2", head_dim / 2,
                            sections[0] + sections[1] + sections[2]});
  const std::int64_t length = positions.dim(1);
  const Shape shape{length, head_dim};
  RotaryTable table{Tensor::empty_like(positions, DType::f32, shape), Tensor::empty_like(positions, DType::f32, shape)};
  if (positions.is_meta()) {
    binder.done({{"cos", table.cos}, {"sin", table.sin}});
    return table;
  }
  const Tensor rows = positions.contiguous();
  const std::int64_t half = head_dim / 2;
  const detail::PooledVector<float> frequencies = inverse_frequencies(theta, head_dim);
  const std::int64_t* position = rows.data<std::int64_t>();
  float* cosine = table.cos.mutable_data<float>();
  float* sine = table.sin.mutable_data<float>();
  parallel_for(length, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t k = 0; k < half; ++k) {
        const std::int64_t row = k < sections[0] ? 0 : k < sections[0] + sections[1] ? 1 : 2;
        const float angle = static_cast<float>(position[row * length + i]) * frequencies[static_cast<std::size_t>(k)];
        cosine[i * head_dim + k] = cosine[i * head_dim + half + k] = std::cos(angle);
        sine[i * head_dim + k] = sine[i * head_dim + half + k] = std::sin(angle);
      }
  });
  binder.done({{"cos", table.cos}, {"sin", table.sin}});
  return table;
}

RotaryTable vision_rotary_table(std::span<const Grid> grids, std::int64_t head_dim, std::int64_t spatial_merge_size) {
  if (spatial_merge_size <= 0)
    throw Error(ErrorCode::invalid_argument,
                "vision_rotary: spatial_merge_size is " + std::to_string(spatial_merge_size) + ", it must be positive");
  if (head_dim <= 0 || head_dim % 4 != 0)
    throw Error(ErrorCode::shape_mismatch,
                "vision_rotary: head_dim is " + std::to_string(head_dim) +
                    ", it must be a multiple of 4: half the pairs turn by row, half by column",
                ShapeDetail{"vision_rotary", "", "head_dim", -1, "head_dim", head_dim / 4 * 4, head_dim});
  const std::int64_t patches = count_patches(grids, spatial_merge_size);
  const std::int64_t half = head_dim / 2;
  const std::int64_t quarter = half / 2;
  const detail::PooledVector<float> frequencies = inverse_frequencies(10000.0, half);
  RotaryTable table{Tensor::empty(DType::f32, {patches, head_dim}), Tensor::empty(DType::f32, {patches, head_dim})};
  float* cosine = table.cos.mutable_data<float>();
  float* sine = table.sin.mutable_data<float>();
  std::int64_t n = 0;
  const std::int64_t merge = spatial_merge_size;
  for (const Grid& grid : grids)
    for (std::int64_t t = 0; t < grid.t; ++t)
      for (std::int64_t row_group = 0; row_group < grid.h / merge; ++row_group)
        for (std::int64_t column_group = 0; column_group < grid.w / merge; ++column_group)
          for (std::int64_t inner = 0; inner < merge * merge; ++inner, ++n) {
            const std::int64_t row = row_group * merge + inner / merge;
            const auto y = static_cast<float>(row);
            const auto x = static_cast<float>(column_group * merge + inner % merge);
            for (std::int64_t k = 0; k < half; ++k) {
              const float angle = k < quarter ? y * frequencies[static_cast<std::size_t>(k)]
                                              : x * frequencies[static_cast<std::size_t>(k - quarter)];
              cosine[n * head_dim + k] = cosine[n * head_dim + half + k] = std::cos(angle);
              sine[n * head_dim + k] = sine[n * head_dim + half + k] = std::sin(angle);
            }
          }
  return table;
}

void apply_rotary(Tensor& x, const RotaryTable& table, std::string_view module_path) {
  Binder binder(kRotaryContract, module_path);
  binder.arg("x", x).arg("cos", table.cos).arg("sin", table.sin).check();
  if (!binder.has_data()) return binder.done({{"turned", x}});
  if (x.strides()[2] != 1 && x.dim(2) > 1)
    throw Error(ErrorCode::invalid_argument, "rotary: the values of a head must lie side by side, x is a strided view");
  const std::int64_t heads = x.dim(1);
  const std::int64_t half = x.dim(2) / 2;
  const std::int64_t row_stride = x.strides()[0];
  const std::int64_t head_stride = x.strides()[1];
  float* values = x.mutable_data<float>();
  const Tensor cosines = table.cos.contiguous();
  const Tensor sines = table.sin.contiguous();
  const float* cosine = cosines.data<float>();
  const float* sine = sines.data<float>();
  parallel_for(x.dim(0), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t h = 0; h < heads; ++h) {
        float* v = values + i * row_stride + h * head_stride;
        detail::rotate_half(v, cosine + i * 2 * half, sine + i * 2 * half, half);
      }
  });
  binder.done({{"turned", x}});
}

WindowIndex window_index(std::span<const Grid> grids, std::int64_t window_size, std::int64_t patch_size,
                         std::int64_t spatial_merge_size) {
  if (window_size <= 0 || patch_size <= 0 || spatial_merge_size <= 0 ||
      window_size / spatial_merge_size / patch_size < 1)
    throw Error(ErrorCode::invalid_argument,
                "window_index: window_size " + std::to_string(window_size) + " must hold at least one group of " +
                    std::to_string(spatial_merge_size) + " patches of " + std::to_string(patch_size) + " pixels");
  const std::int64_t side = window_size / spatial_merge_size / patch_size;
  const std::int64_t unit = spatial_merge_size * spatial_merge_size;
  WindowIndex result;
  result.window_index.reserve(static_cast<std::size_t>(count_patches(grids, spatial_merge_size) / unit));
  result.cu_window_seqlens.push_back(0);
  result.cu_seqlens.push_back(0);
  std::int64_t base = 0;
  for (const Grid& grid : grids) {
    const std::int64_t gh = grid.h / spatial_merge_size;
    const std::int64_t gw = grid.w / spatial_merge_size;
    for (std::int64_t t = 0; t < grid.t; ++t) {
      for (std::int64_t top = 0; top < gh; top += side)
        for (std::int64_t left = 0; left < gw; left += side) {
          const std::int64_t bottom = std::min(gh, top + side);
          const std::int64_t right = std::min(gw, left + side);
          for (std::int64_t a = top; a < bottom; ++a)
            for (std::int64_t b = left; b < right; ++b) result.window_index.push_back(base + (t * gh + a) * gw + b);
          result.cu_window_seqlens.push_back(result.cu_window_seqlens.back() +
                                             static_cast<std::int32_t>(unit * (bottom - top) * (right - left)));
        }
      result.cu_seqlens.push_back(result.cu_seqlens.back() + static_cast<std::int32_t>(grid.h * grid.w));
    }
    base += grid.t * gh * gw;
  }
  return result;
}

}  // namespace octavo
