// Rotary tables and window order against the definitions, written another way.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "catch.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::Grid;
using octavo::window_index;

namespace {

/// theta^(-2k/dim)
double frequency(std::int64_t k, std::int64_t dim, double theta) {
  return std::pow(theta, -2.0 * static_cast<double>(k) / static_cast<double>(dim));
}

// float32 angles are off by a few units in their last place, which is what the reference computes, too.
double angle_tolerance(double angle) { return 3e-7 * (1 + std::fabs(angle)); }

/// Groups sorted by (image, frame, window row, window column, row, column).
std::vector<std::int64_t> sorted_order(const std::vector<Grid>& grids, std::int64_t side) {
  std::vector<std::array<std::int64_t, 6>> keys;
  for (std::size_t image = 0; image < grids.size(); ++image)
    for (std::int64_t f = 0; f < grids[image].t; ++f)
      for (std::int64_t a = 0; a < grids[image].h / 2; ++a)
        for (std::int64_t b = 0; b < grids[image].w / 2; ++b)
          keys.push_back({static_cast<std::int64_t>(image), f, a / side, b / side, a, b});
  std::vector<std::int64_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t l, std::int64_t r) {
    return keys[static_cast<std::size_t>(l)] < keys[static_cast<std::size_t>(r)];
  });
  return order;
}

}  // namespace

TEST_CASE("M-RoPE takes each frequency's position from its section's row") {
  const std::vector<std::int64_t> values{0, 5, 100000, 1, 7, 3, 2, 90, 4};  // rows T, Y, X of three tokens
  const octavo::RotaryTable table =
      octavo::mrope_table(Tensor::from<std::int64_t>(values, {3, 3}), 128, 1e6, {16, 24, 24});
  REQUIRE(table.cos.shape() == Shape{3, 128});
  for (std::size_t token = 0; token < 3; ++token)
    for (std::int64_t i = 0; i < 128; ++i) {
      const std::int64_t k = i % 64;
      const std::size_t row = k < 16 ? 0U : k < 40 ? 1U : 2U;
      const double angle = static_cast<double>(values[row * 3 + token]) * frequency(k, 128, 1e6);
      const std::size_t at_index = token * 128 + static_cast<std::size_t>(i);
      REQUIRE(std::fabs(double{table.cos.values<float>()[at_index]} - std::cos(angle)) < angle_tolerance(angle));
      REQUIRE(std::fabs(double{table.sin.values<float>()[at_index]} - std::sin(angle)) < angle_tolerance(angle));
    }
}

TEST_CASE("sections must cover the frequencies") {
  const Tensor positions = Tensor::zeros(DType::i64, {3, 1});
  CHECK(message_of([&] {
          octavo::mrope_table(positions, 128, 1e6, {16, 24, 23});
        }) == "mrope: mrope_section [16, 24, 23] must sum to head_dim/2 = 64");
  CHECK_THROWS_AS(octavo::mrope_table(Tensor::zeros(DType::i64, {2, 1}), 128, 1e6, {16, 24, 24}), octavo::Error);
}

TEST_CASE("vision angles turn by row, then column, in merge-group order, alike for every frame") {
  const std::vector<Grid> grids{{2, 4, 6}, {1, 2, 2}};
  const octavo::RotaryTable table = octavo::vision_rotary_table(grids, 80, 2);
  REQUIRE(table.cos.shape() == Shape{52, 80});
  // Merge-group order by sorting patches on (image, frame, group row, group column, row, column).
  std::vector<std::tuple<int, int, int, int, int, int>> patches;
  for (int image = 0; image < 2; ++image)
    for (int f = 0; f < grids[static_cast<std::size_t>(image)].t; ++f)
      for (int y = 0; y < grids[static_cast<std::size_t>(image)].h; ++y)
        for (int x = 0; x < grids[static_cast<std::size_t>(image)].w; ++x)
          patches.emplace_back(image, f, y / 2, x / 2, y, x);
  std::sort(patches.begin(), patches.end());
  for (std::size_t n = 0; n < patches.size(); ++n)
    for (std::int64_t i = 0; i < 80; ++i) {
      const std::int64_t k = i % 40;
      const double angle = k < 20 ? std::get<4>(patches[n]) * frequency(k, 40, 1e4)
                                  : std::get<5>(patches[n]) * frequency(k - 20, 40, 1e4);
      REQUIRE(std::fabs(double{table.cos.values<float>()[n * 80 + static_cast<std::size_t>(i)]} - std::cos(angle)) <
              angle_tolerance(angle));
      REQUIRE(std::fabs(double{table.sin.values<float>()[n * 80 + static_cast<std::size_t>(i)]} - std::sin(angle)) <
              angle_tolerance(angle));
    }
}

TEST_CASE("rotary turns pairs (i, i + D/2), also in a view, and keeps lengths") {
  const Tensor positions = Tensor::from<std::int64_t>(std::vector<std::int64_t>{0, 1, 9, 0, 1, 9, 0, 1, 9}, {3, 3});
  const octavo::RotaryTable table = octavo::mrope_table(positions, 8, 100, {1, 1, 2});
  const Tensor before = random({3, 5, 8}, 1);
  Tensor joined = before.clone();
  Tensor x = joined.slice(1, 1, 4);  // three of five heads, as q within q|k|v
  octavo::apply_rotary(x, table);
  const std::array<double, 3> position{0, 1, 9};
  for (std::int64_t l = 0; l < 3; ++l)
    for (std::int64_t h = 0; h < 5; ++h)
      for (std::int64_t i = 0; i < 8; ++i) {
        const float* from = before.data<float>() + (l * 5 + h) * 8;
        double expected = double{from[i]};
        if (h >= 1 && h < 4) {
          const double angle = position[static_cast<std::size_t>(l)] * frequency(i % 4, 8, 100);
          const double partner = i < 4 ? -double{from[i + 4]} : double{from[i - 4]};
          expected = double{from[i]} * std::cos(angle) + partner * std::sin(angle);
        }
        REQUIRE(double{joined.data<float>()[(l * 5 + h) * 8 + i]} == Approx(expected).margin(1e-5));
      }
  Tensor wrong = random({2, 5, 8}, 1);
  CHECK_THROWS_AS(octavo::apply_rotary(wrong, table), octavo::Error);
}

TEST_CASE("window boundaries: the worked examples of the specification") {
  using Bounds = std::vector<std::int32_t>;
  const auto windows = [](const Grid& grid) { return window_index(std::vector<Grid>{grid}, 112, 14, 2); };
  CHECK(windows({1, 8, 8}).cu_window_seqlens == Bounds{0, 64});
  CHECK(windows({1, 8, 8}).cu_seqlens == Bounds{0, 64});
  CHECK(windows({1, 12, 20}).cu_window_seqlens == Bounds{0, 64, 128, 160, 192, 224, 240});
  CHECK(windows({1, 12, 20}).cu_seqlens == Bounds{0, 240});
  CHECK(windows({1, 4, 6}).cu_window_seqlens == Bounds{0, 24});
  CHECK(windows({2, 4, 10}).cu_window_seqlens == Bounds{0, 32, 40, 72, 80});
  CHECK(windows({2, 4, 10}).cu_seqlens == Bounds{0, 40, 80});
  const std::vector<std::int64_t> order = windows({1, 12, 20}).window_index;
  CHECK(std::vector<std::int64_t>(order.begin(), order.begin() + 23) ==
        std::vector<std::int64_t>{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 4, 5, 6, 7, 14, 15, 16});
  CHECK(std::vector<std::int64_t>(order.end() - 4, order.end()) == std::vector<std::int64_t>{48, 49, 58, 59});
}

TEST_CASE("the window order is the sorted one, for every small grid and several images") {
  for (const std::int64_t side : {1, 2, 4})
    for (std::int64_t h = 2; h <= 18; h += 2)
      for (std::int64_t w = 2; w <= 18; w += 4) {
        const std::vector<Grid> grids{{1, h, w}, {2, w, h}, {1, 2, 2}};
        const octavo::WindowIndex index = window_index(grids, side * 28, 14, 2);
        INFO("side " << side << " h " << h << " w " << w);
        REQUIRE(index.window_index == sorted_order(grids, side));
        REQUIRE(index.cu_window_seqlens.back() == 3 * h * w + 4);
        REQUIRE(std::is_sorted(index.cu_window_seqlens.begin(), index.cu_window_seqlens.end()));
        const auto hw = static_cast<std::int32_t>(h * w);
        REQUIRE(index.cu_seqlens == std::vector<std::int32_t>{0, hw, 2 * hw, 3 * hw, 3 * hw + 4});
      }
  CHECK(window_index({}, 112, 14, 2).cu_seqlens == std::vector<std::int32_t>{0});
}

TEST_CASE("impossible grids and windows are refused") {
  CHECK(message_of([] {
          window_index(std::vector<Grid>{{1, 2, 2}, {1, 3, 4}}, 112, 14, 2);
        }) ==
        "image 1 has the grid 1 x 3 x 4 patches; rows and columns must be positive multiples of spatial_merge_size 2");
  CHECK(message_of([] {
          window_index(std::vector<Grid>{{1, 65536, 65536}}, 112, 14, 2);
        }) ==
        "image 0 brings the call to 4294967296 patches; at most 2147483647 can be counted: give fewer or smaller "
        "images");
  CHECK(message_of([] {
          window_index(std::vector<Grid>{{1, std::int64_t{1} << 62, 4}}, 112, 14, 2);
        }) == "image 0 has more than 1048576 frames, rows or columns of patches");
  CHECK_THROWS_AS(window_index(std::vector<Grid>{{1, 2, 2}}, 14, 14, 2), octavo::Error);
  CHECK_THROWS_AS(octavo::vision_rotary_table(std::vector<Grid>{{1, 2, 2}}, 78, 2), octavo::Error);
  CHECK(message_of([] {
          octavo::vision_rotary_table(std::vector<Grid>{{1, 2, 2}}, 80, 0);
        }) == "vision_rotary: spatial_merge_size is 0, it must be positive");
}
