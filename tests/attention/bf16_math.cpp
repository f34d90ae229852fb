// Products on bf16 units: within what rounding the operands explains, and NaN as everywhere.
#include "catch.hpp"
#include "kernels/kernels.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::FloatMath;
using octavo::Mask;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool runs() {
  if (octavo::attention_kernels::kernels().rounded != nullptr) return true;
  WARN("not tested, as this processor has no AMX for bf16");
  return false;
}

Tensor as_bf16(const Tensor& x) { return x.to(DType::bf16).to(DType::f32); }

octavo::AttentionOptions with(const Mask& mask, float scale = 0) {
  octavo::AttentionOptions options;
  options.mask = mask;
  options.scale = scale;
  options.math = FloatMath::bf16;
  return options;
}

struct Sizes {
  std::int64_t heads, kv_heads, q_len, kv_len, width;
};

}  // namespace

TEST_CASE("bf16 products are those of rounded operands") {
  if (!runs()) return;
  // Against float64 over the rounded q, k and v: weights, which sum to 1, are rounded by up to 2^-8 of themselves,
  // most of them by less than half of it.
  constexpr float kScale = 0.25F;  // a power of two rounds nothing
  for (const Sizes& s :
       {Sizes{1, 1, 1, 1, 1}, Sizes{2, 2, 5, 131, 3}, Sizes{3, 1, 33, 300, 33}, Sizes{8, 1, 1, 700, 128},
        Sizes{4, 4, 70, 70, 80}, Sizes{7, 1, 20, 257, 100}, Sizes{8, 1, 40, 190, 256}}) {
    INFO(s.heads << "/" << s.kv_heads << " heads, " << s.q_len << " queries, " << s.kv_len << " keys, width "
                 << s.width);
    const Tensor q = as_bf16(random({1, s.heads, s.q_len, s.width}, 1));
    const Tensor k = as_bf16(random({1, s.kv_heads, s.kv_len, s.width}, 2));
    const Tensor v = as_bf16(random({1, s.kv_heads, s.kv_len, s.width}, 3));
    double largest = 0;
    for (const float value : v.values<float>()) largest = std::max(largest, std::fabs(double{value}));
    const double bound = largest / 512 + kTolerance;
    const std::int64_t past = s.kv_len - s.q_len;
    CHECK(worst_difference(attention(q, k, v, with(Mask::none(), kScale)), q, k, v, 0.25, everything) < bound);
    CHECK(worst_difference(attention(q, k, v, with(Mask::causal(past), kScale)), q, k, v, 0.25, causal(past)) < bound);
    const Tensor added = random({1, s.heads, s.q_len, s.kv_len}, 4);
    const Bias bias = [&](std::int64_t, std::int64_t h, std::int64_t i, std::int64_t j) {
      return double{at(added, 0, h, i, j)};
    };
    CHECK(worst_difference(attention(q, k, v, with(Mask::explicit_tensor(added), kScale)), q, k, v, 0.25, bias) <
          bound);
  }
}

TEST_CASE("bf16 products round what is not bf16 where rows are many") {
  if (!runs()) return;
  const Tensor v = Tensor::from<float>(std::vector<float>(65, 1.001F), {1, 1, 65, 1});
  CHECK(list<float>(attention(v, v, v, with(Mask::causal(0))))[0] == 1.0F);  // the first query sees one key
  CHECK(list<float>(attention(v, v, v, {.mask = Mask::causal(0)}))[0] == 1.001F);
  const Tensor few = v.slice(2, 0, 64);
  CHECK(list<float>(attention(few, few, few, with(Mask::causal(0))))[0] == 1.001F);
}

TEST_CASE("what bf16 products cost in accuracy") {
  if (!runs()) return;
  const Tensor q = random({1, 16, 64, 128}, 1);
  const Tensor k = random({1, 2, 2048, 128}, 2);
  const Tensor v = random({1, 2, 2048, 128}, 3);
  const std::vector<float> exact = list<float>(attention(q, k, v, {.mask = Mask::causal(1984)}));
  const std::vector<float> rounded = list<float>(attention(q, k, v, with(Mask::causal(1984))));
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    difference += (double{rounded[i]} - double{exact[i]}) * (double{rounded[i]} - double{exact[i]});
    size += double{exact[i]} * double{exact[i]};
  }
  const double error = std::sqrt(difference / size);
  INFO("relative error " << error);
  CHECK(error < 0.005);  // docs/attention.md
  CHECK(error > 0);
}

TEST_CASE("bf16 products give the same bits for every thread count") {
  if (!runs()) return;
  const Tensor q = random({1, 6, 300, 80}, 1);
  const Tensor k = random({1, 2, 300, 80}, 2);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3}) {
    octavo::set_num_threads(threads);
    results.push_back(list<float>(attention(q, k, k, with(Mask::causal(0)))));
  }
  octavo::set_num_threads(0);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("NaN reaches the bf16 outputs that use it and no other") {
  if (!runs()) return;
  Tensor visible = Tensor::zeros(DType::u8, {1, 1, 50, 150});
  const auto scattered = [](std::int64_t i, std::int64_t j) { return (i * 7 + j * 3) % 5 < 2; };
  for (std::int64_t i = 0; i < 50; ++i)
    for (std::int64_t j = 0; j < 150; ++j) visible.mutable_data<std::uint8_t>()[i * 150 + j] = scattered(i, j) ? 1 : 0;
  for (const bool is_causal : {true, false})
    for (const int which : {0, 1, 2})
      for (const std::int64_t row : {0, 2, 49, 120}) {
        if (which == 0 && row >= 50) continue;
        INFO((is_causal ? "causal, " : "u8, ") << "qkv"[which] << " row " << row);
        std::vector<Tensor> x{random({1, 2, 50, 20}, 1), random({1, 1, 150, 20}, 2), random({1, 1, 150, 20}, 3)};
        x[static_cast<std::size_t>(which)].mutable_data<float>()[row * 20 + 7] = kNaN;
        const Tensor out =
            attention(x[0], x[1], x[2], with(is_causal ? Mask::causal(100) : Mask::explicit_tensor(visible)));
        std::int64_t wrong = 0;
        for (std::int64_t h = 0; h < 2; ++h)
          for (std::int64_t i = 0; i < 50; ++i)
            for (std::int64_t d = 0; d < 20; ++d) {
              const bool sees = is_causal ? row <= 100 + i : scattered(i, row);
              const bool uses = which == 0 ? h == 0 && i == row : sees && (which == 1 || d == 7);
              wrong += std::isfinite(at(out, 0, h, i, d)) == uses ? 1 : 0;
            }
        CHECK(wrong == 0);
      }
}
