// Blocks, tiles, chunks and instruction sets: odd sizes against the plain formula in float64.
#include "catch.hpp"
#include "instruction_sets.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::Mask;

namespace {

struct Sizes {
  std::int64_t heads, kv_heads, q_len, kv_len, width;
};

/// Neither rows nor keys nor columns fill the tiles, blocks and vectors; groups of 1 to 8 heads.
const std::vector<Sizes> kOddSizes{{1, 1, 1, 1, 1},     {2, 2, 5, 131, 3},   {2, 1, 9, 129, 17},  {3, 1, 33, 300, 5},
                                   {4, 1, 7, 128, 100}, {10, 2, 3, 257, 80}, {6, 1, 11, 255, 20}, {14, 2, 13, 140, 128},
                                   {8, 1, 1, 700, 256}, {8, 1, 40, 190, 31}, {1, 1, 300, 300, 7}};

Tensor q_of(const Sizes& s) { return random({1, s.heads, s.q_len, s.width}, 1); }
Tensor kv_of(const Sizes& s, unsigned seed) { return random({1, s.kv_heads, s.kv_len, s.width}, seed); }

/// Rows with room between them, as a cache and a projection leave them: a view [1, H, L, D].
Tensor spread(const Tensor& x) {
  Tensor wide = random({1, x.dim(2) + 3, x.dim(1) + 1, x.dim(3) + 2}, 9);
  Tensor view = wide.slice(1, 2, x.dim(2) + 2).slice(2, 1, x.dim(1) + 1).slice(3, 1, x.dim(3) + 1);
  const auto strides = view.strides();
  float* to = view.mutable_data<float>();
  for (std::int64_t h = 0; h < x.dim(1); ++h)
    for (std::int64_t i = 0; i < x.dim(2); ++i)
      for (std::int64_t d = 0; d < x.dim(3); ++d) to[i * strides[1] + h * strides[2] + d] = at(x, 0, h, i, d);
  return view.permute({0, 2, 1, 3});
}

std::string text(const Sizes& s) {
  return std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " heads, " + std::to_string(s.q_len) +
         " queries, " + std::to_string(s.kv_len) + " keys, width " + std::to_string(s.width);
}

}  // namespace

TEST_CASE("every instruction set computes odd sizes") {
  for_each_instruction_set([](const char*) {
    for (const Sizes& s : kOddSizes) {
      INFO(text(s));
      const Tensor q = q_of(s);
      const Tensor k = kv_of(s, 2);
      const Tensor v = kv_of(s, 3);
      const double scale = 1 / std::sqrt(static_cast<double>(s.width));
      CHECK(worst_difference(attention(q, k, v), q, k, v, scale, everything) < kTolerance);
      const std::int64_t past = s.kv_len - s.q_len;
      CHECK(worst_difference(attention(q, k, v, {.mask = Mask::causal(past)}), q, k, v, scale, causal(past)) <
            kTolerance);
      const Tensor added = random({1, s.heads, s.q_len, s.kv_len}, 4);
      const Bias bias = [&](std::int64_t, std::int64_t h, std::int64_t i, std::int64_t j) {
        return double{at(added, 0, h, i, j)};
      };
      CHECK(worst_difference(attention(q, k, v, {.mask = Mask::explicit_tensor(added)}), q, k, v, scale, bias) <
            kTolerance);
    }
  });
}

TEST_CASE("scores far apart and in any order for every instruction set") {
  // The largest score so far grows, by much and by little, and falls behind.
  const Tensor v = random({1, 1, 900, 3}, 3);
  for (const float step : {-0.3F, 0.003F, 0.02F, 0.3F}) {
    Tensor k = Tensor::zeros(DType::f32, {1, 1, 900, 3}), q = Tensor::zeros(DType::f32, {1, 1, 70, 3});
    for (std::int64_t j = 0; j < 900; ++j) k.mutable_data<float>()[3 * j] = step * static_cast<float>(j);
    for (std::int64_t i = 0; i < 70; ++i) q.mutable_data<float>()[3 * i] = 1;
    for_each_instruction_set([&](const char*) {
      INFO("step " << step);
      CHECK(worst_difference(attention(q, k, v, {.scale = 1}), q, k, v, 1, everything) < kTolerance);
    });
  }
}

TEST_CASE("views give the bits of their copies for every instruction set") {
  for_each_instruction_set([](const char*) {
    for (const Sizes& s : kOddSizes) {
      INFO(text(s));
      const Mask mask = Mask::causal(s.kv_len - s.q_len);
      const Tensor q = q_of(s);
      const Tensor k = kv_of(s, 2);
      const Tensor v = kv_of(s, 3);
      CHECK(list<float>(attention(spread(q), spread(k), spread(v), {.mask = mask})) ==
            list<float>(attention(q, k, v, {.mask = mask})));
    }
  });
}

TEST_CASE("AVX2 and AVX-512 give the same bits") {
  for (const char* name : {"avx2", "avx512"})
    if (!Forced(name).runs()) {
      WARN("not tested, as this processor cannot run " << name);
      return;
    }
  for (const Sizes& s : kOddSizes) {
    INFO(text(s));
    const auto bits = [&](const char* name) {
      const Forced forced(name);
      return list<float>(attention(q_of(s), kv_of(s, 2), kv_of(s, 3), {.mask = Mask::causal(s.kv_len - s.q_len)}));
    };
    CHECK(bits("avx2") == bits("avx512"));
  }
}

TEST_CASE("decoding over divided keys") {
  for_each_instruction_set([](const char*) {
    for (const std::int64_t kv_len : {511, 512, 513, 1029, 2050})
      for (const std::int64_t q_len : {1, 3, 8}) {
        INFO("kv_len " << kv_len << " q_len " << q_len);
        const std::int64_t past = kv_len - q_len;
        const Tensor q = random({1, 8, q_len, 16}, 1);
        const Tensor k = random({1, 2, kv_len, 16}, 2);
        const Tensor v = random({1, 2, kv_len, 16}, 3);
        CHECK(worst_difference(attention(q, k, v, {.mask = Mask::causal(past), .scale = 0.5F}), q, k, v, 0.5,
                               causal(past)) < kTolerance);
      }
  });
}

TEST_CASE("divided keys where whole chunks are hidden from some rows") {
  const Tensor q = random({1, 2, 2, 8}, 1);
  const Tensor k = random({1, 1, 1600, 8}, 2);
  const Tensor v = random({1, 1, 1600, 8}, 3);
  Tensor visible = Tensor::zeros(DType::u8, {1, 1, 2, 1600});
  for (const std::int64_t j : {1100, 1101, 1599}) visible.mutable_data<std::uint8_t>()[j] = 1;
  const Bias bias = [](std::int64_t, std::int64_t, std::int64_t i, std::int64_t j) {
    return i == 0 && (j == 1100 || j == 1101 || j == 1599) ? 0.0 : kHidden;
  };
  const Tensor out = attention(q, k, v, {.mask = Mask::explicit_tensor(visible)});
  CHECK(worst_difference(out, q, k, v, 1 / std::sqrt(8.0), bias) < kTolerance);
  for (std::int64_t d = 0; d < 8; ++d) CHECK(at(out, 0, 1, 1, d) == 0);  // sees nothing
}

TEST_CASE("segments of unequal length for every instruction set") {
  const std::vector<std::int32_t> bounds{0, 64, 64, 65, 300, 316, 401};
  const Tensor q = random({1, 4, 401, 20}, 1);
  const Tensor k = random({1, 2, 401, 20}, 2);
  const Tensor v = random({1, 2, 401, 20}, 3);
  const auto segment = [&](std::int64_t i) {
    std::size_t s = 1;
    while (bounds[s] <= i) ++s;
    return s;
  };
  const Bias bias = [&](std::int64_t, std::int64_t, std::int64_t i, std::int64_t j) {
    return segment(i) == segment(j) ? 0.0 : kHidden;
  };
  for_each_instruction_set([&](const char*) {
    CHECK(worst_difference(attention(q, k, v, {.mask = Mask::segments(bounds)}), q, k, v, 1 / std::sqrt(20.0), bias) <
          kTolerance);
  });
}

TEST_CASE("the same bits for 1 and 2 and 3 threads in every schedule") {
  struct Call {
    const char* name;
    Tensor q, kv;
    Mask mask;
  };
  const std::vector<Call> calls{
      {"causal prefill", random({1, 6, 500, 80}, 1), random({1, 2, 500, 80}, 2), Mask::causal(0)},
      {"windows", random({1, 4, 1000, 80}, 1), random({1, 4, 1000, 80}, 2), Mask::segments({0, 64, 128, 700, 1000})},
      {"decode over chunks", random({1, 16, 1, 128}, 1), random({1, 2, 3000, 128}, 2), Mask::causal(2999)},
      {"batch", random({3, 4, 100, 128}, 1), random({3, 4, 100, 128}, 2), Mask::none()}};
  for (const Call& call : calls) {
    INFO(call.name);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      octavo::set_num_threads(threads);
      results.push_back(list<float>(attention(call.q, call.kv, call.kv, {.mask = call.mask})));
    }
    octavo::set_num_threads(0);
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
  }
}
