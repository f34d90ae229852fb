// NaN and infinity reach every output that uses them, and no other.
#include "catch.hpp"
#include "instruction_sets.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::Mask;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A kind of mask, and whether query i sees key j.
struct Seen {
  std::string name;
  std::int64_t q_len, kv_len;
  Mask mask;
  std::function<bool(std::int64_t i, std::int64_t j)> sees;
};

std::vector<Seen> masks() {
  const auto scattered = [](std::int64_t i, std::int64_t j) { return (i * 7 + j * 3) % 5 < 2; };
  Tensor visible = Tensor::zeros(DType::u8, {1, 1, 40, 150});
  Tensor added = Tensor::zeros(DType::f32, {1, 1, 40, 150});
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = 0; j < 150; ++j) {
      visible.mutable_data<std::uint8_t>()[i * 150 + j] = scattered(i, j) ? 1 : 0;
      added.mutable_data<float>()[i * 150 + j] = scattered(i, j) ? 0.5F : -kInfinity;
    }
  return {
      {"none", 40, 150, Mask::none(), [](std::int64_t, std::int64_t) { return true; }},
      {"causal", 150, 150, Mask::causal(0), [](std::int64_t i, std::int64_t j) { return j <= i; }},
      {"causal after 100", 50, 150, Mask::causal(100), [](std::int64_t i, std::int64_t j) { return j <= 100 + i; }},
      {"causal after 140", 10, 150, Mask::causal(140), [](std::int64_t i, std::int64_t j) { return j <= 140 + i; }},
      {"decode over chunks", 3, 1500, Mask::causal(1497), [](std::int64_t i, std::int64_t j) { return j <= 1497 + i; }},
      {"segments", 150, 150, Mask::segments({0, 9, 100, 150}),
       [](std::int64_t i, std::int64_t j) {
         const auto segment = [](std::int64_t row) { return row < 9 ? 0 : row < 100 ? 1 : 2; };
         return segment(i) == segment(j);
       }},
      {"visible u8", 40, 150, Mask::explicit_tensor(visible), scattered},
      {"added f32", 40, 150, Mask::explicit_tensor(added), scattered}};
}

/// Runs four query heads over two key/value heads with one value of q (0), k (1) or v (2) replaced, in head 1, row
/// `row`, column 2, and compares which outputs are not finite with those that use it.
void check_reach(const Seen& seen, int which, std::int64_t row, float value) {
  INFO(seen.name << ", "
                 << "qkv"[which] << " row " << row << " is " << value);
  std::vector<Tensor> x{random({1, 4, seen.q_len, 5}, 1), random({1, 2, seen.kv_len, 5}, 2),
                        random({1, 2, seen.kv_len, 5}, 3)};
  Tensor& changed = x[static_cast<std::size_t>(which)];
  changed.mutable_data<float>()[(changed.dim(2) + row) * 5 + 2] = value;
  const Tensor out = attention(x[0], x[1], x[2], {.mask = seen.mask});
  std::int64_t wrong = 0;
  for (std::int64_t h = 0; h < 4; ++h)
    for (std::int64_t i = 0; i < seen.q_len; ++i)
      for (std::int64_t d = 0; d < 5; ++d) {
        const bool uses = which == 0 ? h == 1 && i == row : h / 2 == 1 && seen.sees(i, row) && (which == 1 || d == 2);
        const float result = at(out, 0, h, i, d);
        wrong += std::isfinite(result) == uses ? 1 : 0;
      }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("NaN reaches the outputs that use it and no other") {
  for_each_instruction_set([](const char*) {
    for (const Seen& seen : masks())
      for (const int which : {0, 1, 2})
        for (const std::int64_t row : {std::int64_t{0}, std::int64_t{2}, (which == 0 ? seen.q_len : seen.kv_len) - 1})
          check_reach(seen, which, row, kNaN);
  });
}

TEST_CASE("infinity among the values reaches the outputs that use it") {
  for_each_instruction_set([](const char*) {
    for (const Seen& seen : masks()) check_reach(seen, 2, 4, kInfinity);
  });
}

TEST_CASE("a score that is NaN is no score unseen") {
  const Tensor q = Tensor::from<float>(std::vector<float>{kNaN}, {1, 1, 1, 1});
  const Tensor k = Tensor::from<float>(std::vector<float>{1}, {1, 1, 1, 1});
  for_each_instruction_set([&](const char*) { CHECK(std::isnan(list<float>(attention(q, k, k))[0])); });
}

TEST_CASE("scores of minus infinity alone are no softmax") {  // 1e30 x -1e30 overflows
  const Tensor q = Tensor::from<float>(std::vector<float>{1e30F}, {1, 1, 1, 1});
  const Tensor k = Tensor::from<float>(std::vector<float>{-1e30F, -1e30F}, {1, 1, 2, 1});
  for_each_instruction_set([&](const char*) { CHECK(std::isnan(list<float>(attention(q, k, k))[0])); });
}
