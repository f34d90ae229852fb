// The mistakes of docs/shape_errors.md that attention, cache, positions and masks see: each is made on purpose, and the
// whole message is read.
#include "catch.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::Grid;
using octavo::KvCache;
using octavo::Mask;
using octavo::SequenceState;

namespace {

constexpr std::int32_t kImage = 900;

SequenceState state() { return SequenceState({.image_token_id = kImage, .video_token_id = 901}); }

/// Three words, an image of 4 x 6 patches (6 tokens), two words.
std::vector<std::int32_t> prompt() { return {1, 2, 3, kImage, kImage, kImage, kImage, kImage, kImage, 4, 5}; }
const std::vector<Grid> kGrids{{1, 4, 6}};

Tensor zeros(const Shape& shape) { return Tensor::zeros(DType::f32, shape); }

std::string repeated_prompt(std::int64_t heads, std::int64_t kv_heads, std::int64_t past, std::int64_t q_len) {
  const Tensor q = zeros({1, heads, q_len, 128});
  const Tensor kv = zeros({1, kv_heads, past + q_len, 128});
  const Tensor mask = zeros({1, 1, q_len, q_len});
  return message_of([&] {
    attention(q, kv, kv,
              {.mask = Mask::explicit_tensor(mask), .past = past, .module_path = "model.layers.0.self_attn"});
  });
}

}  // namespace

TEST_CASE("mistake 1: the seed, 455 against 228") {
  CHECK(repeated_prompt(16, 2, 227, 228) ==
        "attention (model.layers.0.self_attn): mask [1, 1, 228, 228] dim 3 (Lk, kv_len) is 228, but k [1, 2, 455, 128] "
        "dim 2 set kv_len to 455 = past 227 + new 228. The cache already holds 227 positions and all 228 prompt tokens "
        "were passed again: pass only the new token, or reset the cache.");
}

TEST_CASE("mistake 2: its R1-V form, 293 against 147 with 28 heads") {
  CHECK(repeated_prompt(28, 4, 146, 147) ==
        "attention (model.layers.0.self_attn): mask [1, 1, 147, 147] dim 3 (Lk, kv_len) is 147, but k [1, 4, 293, 128] "
        "dim 2 set kv_len to 293 = past 146 + new 147. The cache already holds 146 positions and all 147 prompt tokens "
        "were passed again: pass only the new token, or reset the cache.");
}

TEST_CASE("mistake 3: positions that restart at zero on the second turn") {
  SequenceState turns = state();
  const std::vector<std::int32_t> all = prompt();
  const std::vector<std::int64_t> whole = list<std::int64_t>(state().plan(all, kGrids).positions);
  turns.commit(turns.plan(std::span(all).first(9), kGrids));
  const octavo::CallPlan second = turns.plan(std::span(all).subspan(9), {});
  // What the uncached reference gives the last two tokens, in rows T, Y, X.
  CHECK(list<std::int64_t>(second.positions) ==
        std::vector<std::int64_t>{whole[9], whole[10], whole[20], whole[21], whole[31], whole[32]});
  CHECK(second.past == 9);

  // A plan made without the cache, against keys that are in it.
  const octavo::CallPlan restarted = state().plan(std::span(all).subspan(9), {});
  const Tensor q = zeros({1, 4, 2, 8});
  const Tensor kv = zeros({1, 2, 11, 8});
  CHECK(
      message_of([&] { attention(q, kv, kv, {.mask = restarted.mask, .past = restarted.past, .module_path = "m"}); }) ==
      "attention (m): Lk == past + Lq does not hold: the left side is 11, the right side 2 (Lk, kv_len is 11 by k [1, "
      "2, 11, 8] dim 2; past, cached positions is 0 by the causal mask; Lq, q_len is 2 by q [1, 4, 2, 8] dim 2). The "
      "keys hold 11 positions, the plan counts 0 cached and 2 new: it was made without the cache, as when positions "
      "restart at 0 on a second turn. Plan from the SequenceState that was committed with the cache, or reset both.");
  // And the other way round: the cache was reset, the state was not.
  const Tensor few = zeros({1, 2, 2, 8});
  CHECK(message_of([&] { attention(q, few, few, {.mask = second.mask, .past = second.past, .module_path = "m"}); }) ==
        "attention (m): Lk == past + Lq does not hold: the left side is 2, the right side 11 (Lk, kv_len is 2 by k [1, "
        "2, 2, 8] dim 2; past, cached positions is 9 by the causal mask; Lq, q_len is 2 by q [1, 4, 2, 8] dim 2). The "
        "cache holds fewer positions than the plan counts: it was reset or truncated alone, or the new keys were not "
        "appended. Reset cache and SequenceState together.");
  CHECK(message_of([&] { turns.commit(restarted); }) ==
        "sequence: the plan was made at 0 positions, 9 are committed: plan each call anew");
}

TEST_CASE("mistake 4: rope_deltas forgotten cannot be written") {
  SequenceState s = state();
  s.commit(s.plan(prompt(), kGrids));
  // 2 x 3 groups take max(2, 3) = 3 positions instead of 6: the next one is 3 before the cache's length.
  CHECK(s.past() == 11);
  CHECK(s.next_position() == 11 - 6 + 3);
  const std::vector<std::int32_t> token{7};
  const octavo::CallPlan decode = s.plan(token, {});
  CHECK(list<std::int64_t>(decode.positions) == std::vector<std::int64_t>{8, 8, 8});
  CHECK((decode.past == 11 && decode.kv_len == 12 && decode.mask.past() == 11));
}

TEST_CASE("mistake 5: image tokens other than t*h*w/4") {
  std::vector<std::int32_t> short_of_one = prompt();
  short_of_one.erase(short_of_one.begin() + 3);
  CHECK(message_of([&] { state().plan(short_of_one, kGrids); }) ==
        "sequence: image 0 has 5 pad tokens from token 3 on, but its grid 1 x 4 x 6 makes 6: expand each pad to "
        "t*h*w/merge^2 copies, and keep an image whole within one call");
  std::vector<std::int32_t> one_more = prompt();
  one_more.insert(one_more.begin() + 3, kImage);
  CHECK(message_of([&] { state().plan(one_more, kGrids); }) ==
        "sequence: token 9 is an image pad, but all 1 images given are already placed: images and pads must match");
}

TEST_CASE("mistake 6: images of another count than the prompt has") {
  const std::vector<Grid> two{{1, 4, 6}, {1, 4, 6}};
  CHECK(message_of([&] { state().plan(prompt(), two); }) ==
        "sequence: 2 images were given, but the tokens have pads for 1");
  CHECK(message_of([&] { state().plan(prompt(), {}); }) ==
        "sequence: token 3 is an image pad, but all 0 images given are already placed: images and pads must match");
}

TEST_CASE("mistake 7: padding on the wrong side") {
  // Three positions of a sequence, alone and behind two pads on the left that a mask hides.
  const Tensor q = random({1, 2, 3, 8}, 1);
  const Tensor k = random({1, 2, 3, 8}, 2);
  const Tensor v = random({1, 2, 3, 8}, 3);
  const Tensor alone = attention(q, k, v, {.mask = Mask::causal(0)});
  const auto padded = [](const Tensor& x, std::int64_t before) {
    Tensor out = random({1, 2, 5, 8}, 9);
    for (std::int64_t h = 0; h < 2; ++h)
      for (std::int64_t i = 0; i < 3; ++i)
        for (std::int64_t d = 0; d < 8; ++d)
          out.mutable_data<float>()[(h * 5 + before + i) * 8 + d] = x.data<float>()[(h * 3 + i) * 8 + d];
    return out;
  };
  const auto last_row = [&](std::int64_t before) {
    Tensor visible = Tensor::zeros(DType::u8, {1, 1, 5, 5});
    for (std::int64_t i = 0; i < 3; ++i)
      for (std::int64_t j = 0; j <= i; ++j) visible.mutable_data<std::uint8_t>()[(before + i) * 5 + before + j] = 1;
    return attention(padded(q, before), padded(k, before), padded(v, before), {.mask = Mask::explicit_tensor(visible)})
        .slice(2, 4, 5)
        .clone();
  };
  const std::vector<float> expected = list<float>(alone.slice(2, 2, 3));
  const std::vector<float> left = list<float>(last_row(2));
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(left[i] == Approx(expected[i]).margin(1e-6));
  // On the right the last row is a pad's: it sees nothing, which gives zeros, and shows.
  CHECK(list<float>(last_row(0)) == std::vector<float>(16, 0.0F));
}

TEST_CASE("mistake 8: the repeat of grouped heads, forgotten or done twice") {
  const Tensor q = random({1, 16, 5, 8}, 1);
  const Tensor k = random({1, 2, 5, 8}, 2);
  const Tensor v = random({1, 2, 5, 8}, 3);
  const auto repeated = [](const Tensor& x) {
    Tensor out = Tensor::empty(DType::f32, {1, 16, 5, 8});
    for (std::int64_t h = 0; h < 16; ++h)
      std::copy_n(x.data<float>() + h / 8 * 40, 40, out.mutable_data<float>() + h * 40);
    return out;
  };
  // Nothing to forget: keys as projected and keys repeated give the same.
  CHECK(list<float>(attention(q, k, v, {.mask = Mask::causal(0)})) ==
        list<float>(attention(q, repeated(k), repeated(v), {.mask = Mask::causal(0)})));

  const Tensor one = zeros({1, 16, 1, 8});
  const Tensor six = zeros({1, 6, 1, 8});
  CHECK(
      message_of([&] { attention(one, six, six, {.module_path = "m"}); }) ==
      "attention (m): Hq % Hkv == 0 does not hold: the left side is 4, the right side 0 (Hq, num_attention_heads is 16 "
      "by q [1, 16, 1, 8] dim 1; Hkv, num_key_value_heads is 6 by k [1, 6, 1, 8] dim 1). Query heads share key heads "
      "in groups of equal size: num_attention_heads must be a multiple of num_key_value_heads. Give k and v as "
      "projected, attention repeats them itself.");
  KvCache cache(1, 2, 8, 4);
  CHECK(
      message_of([&] { cache.append(0, one, one, "m"); }) ==
      "kv_append (m): k [1, 16, 1, 8] dim 1 (Hkv, num_key_value_heads) is 16, but the cache set num_key_value_heads to "
      "2. The keys have 8 times the cache's heads: append them as projected, before any repeat for grouped attention; "
      "else the cache was made for another model.");
}

TEST_CASE("mistake 9: the window index of another grid") {
  const octavo::WindowIndex other = octavo::window_index(std::vector<Grid>{{1, 8, 8}}, 112, 14, 2);
  const Tensor x = zeros({1, 2, 96, 8});
  CHECK(message_of([&] {
          attention(x, x, x, {.mask = Mask::segments(other.cu_window_seqlens), .module_path = "visual.blocks.0"});
        }) ==
        "attention (visual.blocks.0): cu_seqlens ends at 64, but q has 96 and k 96 rows. The windows were derived for "
        "another grid: take them from the same images");
  Tensor rows = zeros({96, 2, 8});
  const octavo::RotaryTable table = octavo::vision_rotary_table(std::vector<Grid>{{1, 8, 8}}, 8, 2);
  CHECK(
      message_of([&] { octavo::apply_rotary(rows, table, "visual.blocks.0.attn"); }) ==
      "rotary (visual.blocks.0.attn): cos [64, 8] dim 0 (L, positions) is 64, but x [96, 2, 8] dim 0 set positions to "
      "96. The table was made for another call or another image grid: make it from this call's positions.");
}

TEST_CASE("mistake 10: the cache of another model or another batch") {
  KvCache cache(2, 2, 8, 4);
  const auto append = [&](std::int64_t layer, const Shape& shape) {
    const Tensor x = zeros(shape);
    return message_of([&] { cache.append(layer, x, x, "m"); });
  };
  CHECK(append(2, {1, 2, 1, 8}) == "kv_append (m): layer is 2, the cache has 2 layers: it was made for another model");
  CHECK(append(0, {1, 3, 1, 8}) ==
        "kv_append (m): k [1, 3, 1, 8] dim 1 (Hkv, num_key_value_heads) is 3, but the cache set num_key_value_heads to "
        "2. The cache was made for another model: heads of the cache and of the keys differ.");
  CHECK(append(0, {1, 2, 1, 16}) ==
        "kv_append (m): k [1, 2, 1, 16] dim 3 (D, head_dim) is 16, but the cache set head_dim to 8. The cache was made "
        "for another model: head_dim of the cache and of the keys differ.");
  CHECK(append(0, {2, 2, 1, 8}) ==
        "kv_append (m): k [2, 2, 1, 8] dim 0 is 2, the contract says 1. A cache holds one sequence: give each sequence "
        "of a batch a cache of its own.");
}

TEST_CASE("mistake 12: a cache that is full") {
  KvCache cache(1, 2, 8, 4);
  const Tensor three = zeros({1, 2, 3, 8});
  cache.append(0, three, three, "m");
  cache.commit(3);
  CHECK(message_of([&] { cache.append(0, three, three, "m"); }) ==
        "kv_append (m): the cache is full: it holds 3 positions, 3 more exceed its capacity of 4. Make it larger, or "
        "reset it");
}

TEST_CASE("mistake 13: a batch split that cuts through an image's positions") {
  const std::vector<std::int32_t> all = prompt();
  SequenceState s = state();
  CHECK(message_of([&] { s.plan(std::span(all).first(7), kGrids); }) ==
        "sequence: image 0 has 4 pad tokens from token 3 on, but its grid 1 x 4 x 6 makes 6: expand each pad to "
        "t*h*w/merge^2 copies, and keep an image whole within one call");
  s.commit(s.plan(std::span(all).first(3), {}));
  CHECK(message_of([&] { s.plan(std::span(all).subspan(7), {}); }) ==
        "sequence: token 3 is an image pad, but all 0 images given are already placed: images and pads must match");
}
