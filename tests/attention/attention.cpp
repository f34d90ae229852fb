// Attention against softmax(scale q k^T + mask) v, written out in float64.
#include "catch.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::Mask;

TEST_CASE("attention without a mask, for grouped heads and odd sizes") {
  for (const std::int64_t heads : {1, 4, 6})
    for (const std::int64_t length : {1, 2, 63, 64, 65, 130})
      for (const std::int64_t width : {1, 5, 16}) {
        const std::int64_t kv_heads = heads == 6 ? 2 : 1;
        const Tensor q = random({2, heads, length, width}, 1);
        const Tensor k = random({2, kv_heads, length, width}, 2);
        const Tensor v = random({2, kv_heads, length, width}, 3);
        INFO("heads " << heads << " length " << length << " width " << width);
        const Tensor out = attention(q, k, v);
        REQUIRE(out.shape() == Shape{2, heads, length, width});
        REQUIRE(worst_difference(out, q, k, v, 1 / std::sqrt(double(width)), everything) < kTolerance);
      }
}

TEST_CASE("causal attention after any past, as prefill and as decode") {
  for (const std::int64_t past : {0, 1, 63, 64, 200})
    for (const std::int64_t length : {1, 2, 65}) {
      const Tensor q = random({1, 4, length, 8}, 1);
      const Tensor k = random({1, 2, past + length, 8}, 2);
      const Tensor v = random({1, 2, past + length, 8}, 3);
      INFO("past " << past << " length " << length);
      const Tensor out = attention(q, k, v, {.mask = Mask::causal(past), .scale = 0.3F});
      REQUIRE(worst_difference(out, q, k, v, double{0.3F}, causal(past)) < kTolerance);
    }
}

TEST_CASE("decoding one by one gives the rows of the whole") {
  const Tensor q = random({1, 4, 20, 8}, 1);
  const Tensor k = random({1, 2, 20, 8}, 2);
  const Tensor v = random({1, 2, 20, 8}, 3);
  const Tensor whole = attention(q, k, v, {.mask = Mask::causal(0)});
  for (std::int64_t i = 0; i < 20; ++i) {
    const Tensor row =
        attention(q.slice(2, i, i + 1), k.slice(2, 0, i + 1), v.slice(2, 0, i + 1), {.mask = Mask::causal(i)});
    for (std::int64_t h = 0; h < 4; ++h)
      for (std::int64_t d = 0; d < 8; ++d) REQUIRE(at(row, 0, h, 0, d) == Approx(at(whole, 0, h, i, d)).margin(1e-6));
  }
}

TEST_CASE("segments see themselves only, also empty and long ones") {
  const std::vector<std::int32_t> bounds{0, 3, 3, 70, 71, 200};
  const Tensor q = random({1, 2, 200, 8}, 1);
  const Tensor k = random({1, 2, 200, 8}, 2);
  const Tensor v = random({1, 2, 200, 8}, 3);
  const auto segment = [&](std::int64_t i) {
    std::size_t s = 1;
    while (bounds[s] <= i) ++s;
    return s;
  };
  const Bias bias = [&](std::int64_t, std::int64_t, std::int64_t i, std::int64_t j) {
    return segment(i) == segment(j) ? 0.0 : kHidden;
  };
  const Tensor out = attention(q, k, v, {.mask = Mask::segments(bounds)});
  CHECK(worst_difference(out, q, k, v, 1 / std::sqrt(8.0), bias) < kTolerance);
}

TEST_CASE("explicit masks, float and boolean, broadcast over batch and heads") {
  const Tensor q = random({2, 4, 7, 8}, 1);
  const Tensor k = random({2, 2, 12, 8}, 2);
  const Tensor v = random({2, 2, 12, 8}, 3);
  for (const std::int64_t batches : {1, 2})
    for (const std::int64_t heads : {1, 4}) {
      const Tensor added = random({batches, heads, 7, 12}, 4);
      const Bias bias = [&](std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
        return double{at(added, batches == 1 ? 0 : b, heads == 1 ? 0 : h, i, j)};
      };
      INFO("mask of " << batches << " batches and " << heads << " heads");
      CHECK(worst_difference(attention(q, k, v, {.mask = Mask::explicit_tensor(added)}), q, k, v, 1 / std::sqrt(8.0),
                             bias) < kTolerance);
      Tensor visible = Tensor::zeros(DType::u8, {batches, heads, 7, 12});
      for (std::int64_t i = 0; i < visible.numel(); ++i)
        visible.mutable_data<std::uint8_t>()[i] = added.data<float>()[i] > 0 ? 1 : 0;
      const Bias hidden = [&](std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
        return bias(b, h, i, j) > 0 ? 0.0 : kHidden;
      };
      CHECK(worst_difference(attention(q, k, v, {.mask = Mask::explicit_tensor(visible)}), q, k, v, 1 / std::sqrt(8.0),
                             hidden) < kTolerance);
    }
}

TEST_CASE("a query that sees nothing gives zeros, not NaN") {
  const Tensor q = random({1, 1, 3, 4}, 1);
  Tensor visible = Tensor::zeros(DType::u8, {1, 1, 3, 3});
  visible.mutable_data<std::uint8_t>()[4] = 1;
  const std::vector<float> out = list<float>(attention(q, q, q, {.mask = Mask::explicit_tensor(visible)}));
  for (std::size_t i : {0U, 1U, 2U, 3U, 8U, 9U, 10U, 11U}) CHECK(out[i] == 0);
  for (std::size_t i : {4U, 5U, 6U, 7U}) CHECK(out[i] == q.data<float>()[i]);
}

TEST_CASE("scores far beyond exp's range do not overflow") {
  Tensor q = Tensor::zeros(DType::f32, {1, 1, 1, 2});
  q.mutable_data<float>()[0] = 1e4F;
  const Tensor k = Tensor::from<float>(std::vector<float>{1e4F, 0, -1e4F, 0}, {1, 1, 2, 2});
  const Tensor v = Tensor::from<float>(std::vector<float>{3, 4, 5, 6}, {1, 1, 2, 2});
  CHECK(list<float>(attention(q, k, v)) == std::vector<float>{3, 4});
}

TEST_CASE("attention reads permuted views and changes nothing") {
  const Tensor q = random({9, 4, 8}, 1);  // [L,H,D], as a projection leaves it
  const Tensor k = random({9, 2, 8}, 2);
  const Tensor v = random({9, 2, 8}, 3);
  const auto view = [](const Tensor& t) { return t.reshape({1, t.dim(0), t.dim(1), t.dim(2)}).permute({0, 2, 1, 3}); };
  CHECK(list<float>(attention(view(q), view(k), view(v))) ==
        list<float>(attention(view(q).clone(), view(k).clone(), view(v).clone())));
}

TEST_CASE("attention gives the same bits for every thread count") {
  const Tensor q = random({1, 4, 150, 16}, 1);
  const Tensor k = random({1, 2, 150, 16}, 2);
  octavo::set_num_threads(1);
  const std::vector<float> one = list<float>(attention(q, k, k, {.mask = Mask::causal(0)}));
  octavo::set_num_threads(3);
  const std::vector<float> three = list<float>(attention(q, k, k, {.mask = Mask::causal(0)}));
  octavo::set_num_threads(0);
  CHECK(one == three);
}

TEST_CASE("attention of no queries or no batch is empty") {
  CHECK(attention(random({1, 2, 0, 4}, 1), random({1, 2, 3, 4}, 2), random({1, 2, 3, 4}, 3), {.past = 3}).shape() ==
        Shape{1, 2, 0, 4});
  const Tensor none = random({0, 2, 3, 4}, 1);
  CHECK(attention(none, none, none).numel() == 0);
}

TEST_CASE("the prompt fed again over its own cache is named, with the remedy") {
  const Tensor q = Tensor::zeros(DType::f32, {1, 16, 228, 128});
  const Tensor kv = Tensor::zeros(DType::f32, {1, 2, 455, 128});
  const Tensor mask = Tensor::zeros(DType::f32, {1, 1, 228, 228});
  const std::string path = "language.layers.0.self_attn";
  CHECK(message_of(
            [&] { attention(q, kv, kv, {.mask = Mask::explicit_tensor(mask), .past = 227, .module_path = path}); }) ==
        "attention (language.layers.0.self_attn): mask [1, 1, 228, 228] dim 3 (Lk, kv_len) is 228, but k [1, 2, 455, "
        "128] dim 2 set kv_len to 455 = past 227 + new 228. The cache already holds 227 positions and all 228 prompt "
        "tokens were passed again: pass only the new token, or reset the cache.");
}

TEST_CASE("broken attention is refused before it computes") {
  const Tensor q = random({1, 4, 3, 8}, 1);
  const Tensor k = random({1, 2, 3, 8}, 2);
  const auto fails = [&](const Tensor& a, const Tensor& b, const Tensor& c, const octavo::AttentionOptions& options) {
    try {
      attention(a, b, c, options);
    } catch (const octavo::Error& error) {
      return octavo::error_code_name(error.code());
    }
    return "no error";
  };
  CHECK(fails(q, random({1, 3, 3, 8}, 2), random({1, 3, 3, 8}, 2), {}) == std::string("shape_mismatch"));
  CHECK(fails(q, random({1, 0, 3, 8}, 2), random({1, 0, 3, 8}, 2), {}) == std::string("shape_mismatch"));
  CHECK(fails(q, k, random({1, 2, 4, 8}, 2), {}) == std::string("shape_mismatch"));
  CHECK(fails(q, random({1, 2, 3, 9}, 2), k, {}) == std::string("shape_mismatch"));
  CHECK(fails(q, k, k, {.mask = Mask::causal(1)}) == std::string("shape_mismatch"));
  CHECK(fails(q, k, k.to(DType::bf16), {}) == std::string("dtype_mismatch"));
  CHECK(fails(q, k, k, {.mask = Mask::segments({0, 2})}) == std::string("shape_mismatch"));
  CHECK(fails(q, k, Tensor(), {}) != std::string("no error"));
  CHECK(message_of([&] { attention(q, k, k, {.mask = Mask::causal(0), .past = 2, .module_path = "m"}); }) ==
        "attention (m): AttentionOptions::past is 2 but the causal mask was made for past 0: take both from one plan, "
        "or leave AttentionOptions::past at 0");
}

TEST_CASE("masks are checked when they are made") {
  CHECK(message_of([] { Mask::causal(-1); }) == "Mask::causal: past is -1, it cannot be negative");
  for (const std::vector<std::int32_t>& bad : {std::vector<std::int32_t>{}, {1, 2}, {0, 3, 2}})
    CHECK(message_of([&] { Mask::segments(bad); }) == "Mask::segments: cu_seqlens must start with 0 and never fall");
  CHECK(message_of([] { Mask::explicit_tensor({}); }) == "Mask::explicit_tensor: the tensor is undefined");
}
