// Caches of bf16 and int8: what they store, what attention makes of it, and what that costs in accuracy.
#include "catch.hpp"
#include "instruction_sets.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::attention;
using octavo::KvCache;
using octavo::Mask;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Float32 values that stored rows stand for.
Tensor widened(const Tensor& rows, const Tensor& scales) {
  Tensor out = Tensor::empty(DType::f32, rows.shape());
  const Tensor x = rows.contiguous();
  const std::int64_t width = rows.dim(3);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    out.mutable_data<float>()[i] =
        x.dtype() == DType::bf16
            ? octavo::to_float(x.data<octavo::BFloat16>()[i])
            : static_cast<float>(x.data<std::int8_t>()[i]) * list<float>(scales)[static_cast<std::size_t>(i / width)];
  return out;
}

octavo::AttentionOptions options_for(const KvCache::View& seen, std::int64_t past) {
  octavo::AttentionOptions options;
  options.mask = Mask::causal(past);
  options.k_scale = seen.k_scale;
  options.v_scale = seen.v_scale;
  return options;
}

/// Root mean square of a - b over that of b.
double relative_error(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = list<float>(a);
  const std::vector<float> y = list<float>(b);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (double{x[i]} - double{y[i]}) * (double{x[i]} - double{y[i]});
    size += double{y[i]} * double{y[i]};
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("attention over bf16 and int8 gives the bits of float32 copies") {
  for_each_instruction_set([](const char*) {
    for (const DType dtype : {DType::bf16, DType::s8})
      for (const std::int64_t width : {1, 20, 31, 128})
        for (const std::int64_t length : {1, 40, 150}) {
          INFO(octavo::dtype_name(dtype) << " width " << width << " length " << length);
          KvCache cache(1, 2, width, 800, dtype);
          const Tensor before = random({1, 2, 600 - length, width}, 1);
          cache.append(0, before, before, "");
          cache.commit(600 - length);
          const Tensor k = random({1, length, 2, width}, 2).permute({0, 2, 1, 3});
          const Tensor v = random({1, length, 2, width}, 3).permute({0, 2, 1, 3});
          const KvCache::View seen = cache.append(0, k, v, "");
          const Tensor q = random({1, 6, length, width}, 4);
          CHECK(list<float>(attention(q, seen.k, seen.v, options_for(seen, 600 - length))) ==
                list<float>(attention(q, widened(seen.k, seen.k_scale), widened(seen.v, seen.v_scale),
                                      {.mask = Mask::causal(600 - length)})));
        }
  });
}

TEST_CASE("caches store within half a step of their format") {
  const Tensor x = random({1, 3, 50, 20}, 1);
  KvCache half(1, 3, 20, 60, DType::bf16);
  const KvCache::View bf16 = half.append(0, x, x, "");
  KvCache bytes(1, 3, 20, 60, DType::s8);
  const KvCache::View s8 = bytes.append(0, x, x, "");
  REQUIRE(bf16.k.dtype() == DType::bf16);
  REQUIRE(s8.k.dtype() == DType::s8);
  REQUIRE(s8.k_scale.shape() == Shape{1, 3, 50});
  const Tensor from_bf16 = widened(bf16.k, {});
  const Tensor from_s8 = widened(s8.v, s8.v_scale);
  for (std::int64_t row = 0; row < 150; ++row) {
    float largest = 0;
    for (std::int64_t d = 0; d < 20; ++d) largest = std::max(largest, std::fabs(x.data<float>()[row * 20 + d]));
    for (std::int64_t d = 0; d < 20; ++d) {
      const float value = x.data<float>()[row * 20 + d];
      CHECK(std::fabs(from_bf16.data<float>()[row * 20 + d] - value) <= std::fabs(value) / 256);
      CHECK(std::fabs(from_s8.data<float>()[row * 20 + d] - value) <= largest / 127 * 0.5001F);
    }
  }
  CHECK(half.size_bytes() == 2 * 3 * 60 * 20 * 2);
  CHECK(bytes.size_bytes() == 2 * 3 * 60 * (20 + 4));
}

TEST_CASE("what a cache of bf16 or int8 costs in accuracy") {
  // Of normally distributed queries, keys and values, 16 heads over 2, width 128, 2048 positions.
  const Tensor q = random({1, 16, 4, 128}, 1);
  const Tensor k = random({1, 2, 2048, 128}, 2);
  const Tensor v = random({1, 2, 2048, 128}, 3);
  const Tensor exact = attention(q, k, v, {.mask = Mask::causal(2044)});
  const auto error = [&](DType dtype) {
    KvCache cache(1, 2, 128, 2048, dtype);
    const KvCache::View seen = cache.append(0, k, v, "");
    return relative_error(attention(q, seen.k, seen.v, options_for(seen, 2044)), exact);
  };
  INFO("f32 " << error(DType::f32) << ", bf16 " << error(DType::bf16) << ", s8 " << error(DType::s8));
  CHECK(error(DType::f32) == 0);
  CHECK(error(DType::bf16) < 0.003);  // docs/attention.md
  CHECK(error(DType::s8) < 0.015);
}

TEST_CASE("NaN and infinity in a row survive every cache") {
  for (const DType dtype : {DType::f32, DType::bf16, DType::s8})
    for (const float bad : {kNaN, -kNaN, std::numeric_limits<float>::infinity()}) {
      INFO(octavo::dtype_name(dtype) << " " << bad);
      Tensor v = random({1, 1, 5, 4}, 1);
      v.mutable_data<float>()[3 * 4 + 1] = bad;
      KvCache cache(1, 1, 4, 5, dtype);
      const KvCache::View seen = cache.append(0, random({1, 1, 5, 4}, 2), v, "");
      const Tensor out = attention(random({1, 1, 5, 4}, 3), seen.k, seen.v, options_for(seen, 0));
      CHECK(std::isfinite(at(out, 0, 0, 2, 1)));  // sees three rows
      CHECK(!std::isfinite(at(out, 0, 0, 3, 1)));
      CHECK(!std::isfinite(at(out, 0, 0, 4, 1)));
    }
}

TEST_CASE("rows of zeros and of the smallest numbers survive the int8 cache") {
  Tensor x = Tensor::zeros(DType::f32, {1, 1, 2, 3});
  x.mutable_data<float>()[3] = std::numeric_limits<float>::denorm_min();
  KvCache cache(1, 1, 3, 2, DType::s8);
  const KvCache::View seen = cache.append(0, x, x, "");
  CHECK(list<float>(widened(seen.k, seen.k_scale)) == std::vector<float>(6, 0.0F));
}

TEST_CASE("a copy of a cache keeps its dtype and what was committed") {
  for (const DType dtype : {DType::f32, DType::bf16, DType::s8}) {
    KvCache cache(2, 2, 4, 9, dtype);
    const Tensor x = random({1, 2, 3, 4}, 1);
    cache.append(0, x, x, "");
    cache.append(1, x, x, "");
    cache.commit(3);
    KvCache copy = cache.clone();
    CHECK((copy.dtype() == dtype && copy.length() == 3 && copy.size_bytes() == cache.size_bytes()));
    const Tensor more = random({1, 2, 1, 4}, 2);
    const KvCache::View a = cache.append(1, more, more, "");
    const KvCache::View b = copy.append(1, more, more, "");
    const Tensor q = random({1, 2, 1, 4}, 3);
    CHECK(list<float>(attention(q, a.k, a.v, options_for(a, 3))) ==
          list<float>(attention(q, b.k, b.v, options_for(b, 3))));
  }
}

TEST_CASE("caches without data have the views of those with data") {
  for (const DType dtype : {DType::f32, DType::bf16, DType::s8}) {
    KvCache cache = KvCache::meta(1, 2, 4, 9, dtype);
    const Tensor x = Tensor::meta(DType::f32, {1, 2, 3, 4});
    const KvCache::View seen = cache.append(0, x, x, "");
    CHECK((seen.k.is_meta() && seen.k.dtype() == dtype && seen.k.shape() == Shape{1, 2, 3, 4}));
    CHECK(seen.v_scale.defined() == (dtype == DType::s8));
    CHECK(attention(Tensor::meta(DType::f32, {1, 4, 3, 4}), seen.k, seen.v, options_for(seen, 0)).is_meta());
    CHECK(cache.clone().dtype() == dtype);
  }
}

TEST_CASE("keys and values that do not belong together are refused") {
  const Tensor q = random({1, 2, 1, 4}, 1);
  const Tensor k = random({1, 2, 1, 4}, 2);
  const Tensor bytes = Tensor::zeros(DType::s8, {1, 2, 1, 4});
  CHECK(message_of([&] { attention(q, k, k.to(DType::bf16), {.module_path = "m"}); }) ==
        "attention (m): k is f32, v is bf16: give both as one cache returned them, or both as f32");
  CHECK(message_of([&] { attention(q, bytes, bytes, {.module_path = "m"}); }) ==
        "attention (m): k and v are s8, but k_scale or v_scale is missing: give those that the cache returned with "
        "them");
  const Tensor scale = random({1, 2, 1}, 3);
  CHECK(message_of([&] { attention(q, k, k, {.module_path = "m", .k_scale = scale}); }) ==
        "attention (m): k and v are f32, which have no scales, but k_scale or v_scale is given: leave both out");
  CHECK(message_of([&] {
          attention(q, bytes, bytes, {.module_path = "m", .k_scale = random({1, 2, 2}, 3), .v_scale = scale});
        })
            .rfind("attention (m): k_scale [1, 2, 2] dim 2 (Lk, kv_len) is 2, but k [1, 2, 1, 4] dim 2 set kv_len to 1",
                   0) == 0);
  CHECK(message_of([] { KvCache(1, 1, 4, 4, DType::f16); }) == "KvCache: dtype is f16, it must be f32, bf16 or s8");
}
