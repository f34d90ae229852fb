// Linear layers, float and int8, and per-token quantization, against float64 by the definition.
#include <limits>

#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::Linear;
using octavo::quantize_per_token;
using octavo::TokenScale;

namespace {

/// Largest |y - x W^T - b| relative to sum |x w| + |b|, the natural unit of a dot product's rounding.
double worst_error(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const std::int64_t k = x.dim(1);
  double worst = 0;
  for (std::int64_t i = 0; i < x.dim(0); ++i)
    for (std::int64_t j = 0; j < w.dim(0); ++j) {
      double sum = bias.defined() ? double{bias.data<float>()[j]} : 0.0;
      double size = std::fabs(sum) + 1e-30;
      for (std::int64_t c = 0; c < k; ++c) {
        const double term = double{x.data<float>()[i * k + c]} * double{w.data<float>()[j * k + c]};
        sum += term;
        size += std::fabs(term);
      }
      worst = std::max(worst, std::fabs(double{y.data<float>()[i * w.dim(0) + j]} - sum) / size);
    }
  return worst;
}

Tensor row(std::vector<float> values) {
  return Tensor::from<float>(values, {1, static_cast<std::int64_t>(values.size())});
}

}  // namespace

TEST_CASE("a float linear is x W^T + b for every stored type and size") {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const std::int64_t m : {1, 4, 5, 33})
      for (const std::int64_t n : {1, 7, 15, 16, 17, 70})
        for (const std::int64_t k : {1, 31, 32, 33, 200})
          for (const bool with_bias : {false, true}) {
            const Tensor x = random(m, k, 1);
            const Tensor stored = random(n, k, 2).to(dtype);
            const Tensor bias = with_bias ? random(1, n, 3).reshape({n}) : Tensor();
            INFO(octavo::dtype_name(dtype) << " m " << m << " n " << n << " k " << k);
            const Tensor y = Linear::floating("test", stored, bias).forward(x);
            REQUIRE(y.shape() == octavo::Shape{m, n});
            REQUIRE(worst_error(y, x, stored.to(DType::f32), bias) < 1e-6);  // some 8 units of float32's rounding
          }
}

TEST_CASE("a 16-bit weight wider than one panel is multiplied in panels") {
  const Tensor x = random(6, 40000, 1);
  const Tensor stored = random(50, 40000, 2).to(DType::bf16);  // 2^20 / 40000 = 26 rows to a panel
  CHECK(worst_error(Linear::floating("test", stored, {}).forward(x), x, stored.to(DType::f32), {}) < 1e-6);
}

TEST_CASE("linears of nothing") {
  CHECK(Linear::floating("f", random(3, 5, 1), {}).forward(random(0, 5, 1)).shape() == octavo::Shape{0, 3});
  CHECK(Linear::floating("f", random(0, 5, 1), {}).forward(random(2, 5, 1)).shape() == octavo::Shape{2, 0});
  CHECK(floats(Linear::floating("f", random(2, 0, 1), vector_of({1, 2})).forward(random(1, 0, 1))) ==
        std::vector<float>{1, 2});
  const Tensor bias = vector_of({1, 2});
  CHECK(floats(Linear::w8a8("q", random_s8(2, 0, 1), vector_of({1, 1}), bias).forward(random(1, 0, 1))) ==
        std::vector<float>{1, 2});
  CHECK(floats(Linear::w8a16("q", random_s8(2, 0, 1), vector_of({1, 1}), bias).forward(random(1, 0, 1))) ==
        std::vector<float>{1, 2});
  CHECK(Linear::w8a16("q", random_s8(3, 5, 1), vector_of({1, 1, 1}), {}).forward(random(0, 5, 1)).shape() ==
        octavo::Shape{0, 3});
  CHECK(Linear::w8a8("q", random_s8(3, 5, 1), vector_of({1, 1, 1}), {}).forward(random(0, 5, 1)).shape() ==
        octavo::Shape{0, 3});
}

TEST_CASE("few rows give the same bits for every thread count") {
  const Tensor x = random(3, 700, 1);
  const Linear layer = Linear::floating("test", random(501, 700, 2).to(DType::bf16), {});
  CHECK(with_threads(1, [&] { return floats(layer.forward(x)); }) ==
        with_threads(3, [&] { return floats(layer.forward(x)); }));
}

TEST_CASE("a strided x is read by its strides") {
  const Tensor wide = random(6, 20, 1);
  const Tensor part = wide.slice(1, 2, 12);
  const Tensor w = random(3, 10, 2);
  CHECK(floats(Linear::floating("f", w, {}).forward(part)) ==
        floats(Linear::floating("f", w, {}).forward(part.clone())));
}

TEST_CASE("quantize_per_token rounds half to even and keeps the largest at 127") {
  // absmax 127 makes the scale 1, so that the halves below are exact.
  const octavo::QuantizedRows rows = quantize_per_token(row({127, -127, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 0, 126.5F}));
  CHECK(floats(rows.scales) == std::vector<float>{1});
  CHECK(integers<std::int8_t>(rows.values) == std::vector<std::int64_t>{127, -127, 0, 2, 2, 0, -2, 0, 126});
}

TEST_CASE("quantize_per_token divides: near a half it does not matter how the processor is fast") {
  // Quotients of all shapes, halves and their neighbours among them, against the division of the definition.
  for (const TokenScale mode : {TokenScale::absmax_127, TokenScale::absmax_127_5})
    for (const std::int64_t k : {1, 15, 16, 17, 63, 64, 65, 200, 4099})
      for (const float spread : {1e-30F, 1e-3F, 1.0F, 3e37F}) {
        Tensor x = random(3, k, static_cast<unsigned>(k));
        for (std::int64_t i = 0; i < 3 * k; ++i) {
          float& value = x.mutable_data<float>()[i];
          if (i % 3 != 0) {  // a half, or next to it, once divided by row 0's scale of 1/127 or so
            const float half = (static_cast<float>(i % 254) - 127.0F + 0.5F) / 127.0F;
            value = i % 3 == 1 ? half : std::nextafter(half, i % 2 == 0 ? 2.0F : -2.0F);
          }
          value *= spread;
        }
        const octavo::QuantizedRows rows = quantize_per_token(x, mode);
        for (std::int64_t i = 0; i < 3; ++i) {
          float largest = 0;
          for (std::int64_t j = 0; j < k; ++j) largest = std::max(largest, std::fabs(x.data<float>()[i * k + j]));
          const float ratio = largest / (mode == TokenScale::absmax_127 ? 127.0F : 127.5F);
          const float scale = std::max(ratio, std::numeric_limits<float>::epsilon());
          REQUIRE(rows.scales.data<float>()[i] == scale);
          for (std::int64_t j = 0; j < k; ++j) {
            const float quotient = x.data<float>()[i * k + j] / scale;
            const float nearest = std::min(127.0F, std::nearbyint(quotient));
            INFO("row " << i << " column " << j << " quotient " << quotient);
            REQUIRE(static_cast<float>(rows.values.data<std::int8_t>()[i * k + j]) == nearest);
          }
        }
      }
}

TEST_CASE("absmax / 127.5 reaches -128 and clamps at 127") {
  const octavo::QuantizedRows rows = quantize_per_token(row({-127.5F, 127.5F, 1}), TokenScale::absmax_127_5);
  CHECK(floats(rows.scales) == std::vector<float>{1});
  CHECK(integers<std::int8_t>(rows.values) == std::vector<std::int64_t>{-128, 127, 1});
}

TEST_CASE("quantized rows are within half a step, for rows of any size") {
  const Tensor x = random(37, 123, 4, 20.0F);
  const octavo::QuantizedRows rows = quantize_per_token(x);
  for (std::int64_t i = 0; i < 37; ++i) {
    const double scale = double{rows.scales.data<float>()[i]};
    for (std::int64_t j = 0; j < 123; ++j) {
      const double back = scale * rows.values.data<std::int8_t>()[i * 123 + j];
      REQUIRE(std::fabs(back - double{x.data<float>()[i * 123 + j]}) <= 0.500001 * scale);
    }
  }
}

TEST_CASE("a row of zeros or denormals has a positive scale and quantizes to zeros") {
  const octavo::QuantizedRows rows = quantize_per_token(row({0, 0, -0.0F}));
  CHECK(rows.scales.values<float>()[0] > 0);
  CHECK(integers<std::int8_t>(rows.values) == std::vector<std::int64_t>{0, 0, 0});
  const octavo::QuantizedRows tiny = quantize_per_token(row({std::numeric_limits<float>::denorm_min(), 0}));
  CHECK(tiny.scales.values<float>()[0] > 0);
  CHECK(integers<std::int8_t>(tiny.values) == std::vector<std::int64_t>{0, 0});
}

TEST_CASE("the largest finite float quantizes, NaN and infinity are refused by row") {
  const float largest = std::numeric_limits<float>::max();
  CHECK(integers<std::int8_t>(quantize_per_token(row({largest, -largest})).values) ==
        std::vector<std::int64_t>{127, -127});
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (const std::int64_t column : {0, 5, 8}) {
      Tensor x = random(4, 9, 1);
      x.mutable_data<float>()[2 * 9 + column] = bad;
      CHECK(message_of([&] { quantize_per_token(x); }) ==
            "quantize_per_token: row 2 of x holds NaN or infinity, which int8 cannot carry");
    }
}

TEST_CASE("a w8a8 linear is (acc * token scale) * channel scale + bias, to the bit, on every backend") {
  const Tensor x = random(5, 77, 1);
  const Tensor w = random_s8(19, 77, 2);
  std::vector<float> scale, bias;
  for (int j = 0; j < 19; ++j) {
    scale.push_back(0.01F * static_cast<float>(j + 1));
    bias.push_back(static_cast<float>(j) - 9.0F);
  }
  const octavo::QuantizedRows rows = quantize_per_token(x);
  const std::vector<std::int64_t> sums = exact(rows.values, w);
  std::vector<float> expected;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const volatile float scaled =  // volatile: each step rounds to float32
        static_cast<float>(sums[i]) * rows.scales.data<float>()[i / 19];
    const volatile float product = scaled * scale[i % 19];
    expected.push_back(product + bias[i % 19]);
  }
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) continue;
    octavo::force_int8_backend(backend.name);
    const Linear layer = Linear::w8a8("test", w, vector_of(scale), vector_of(bias));
    octavo::force_int8_backend("");
    INFO(backend.name);
    CHECK(floats(layer.forward(x)) == expected);
    CHECK(with_threads(3, [&] { return floats(layer.forward(x)); }) == expected);
    for (std::int64_t m = 1; m <= 5; ++m)  // a row does not depend on its neighbours
      CHECK(floats(layer.forward(x.slice(0, 0, m))) == std::vector<float>(expected.begin(), expected.begin() + m * 19));
  }
}

TEST_CASE("layers that share an input give the bits of one call each") {
  const Tensor wide = random(9, 90, 1);
  const Tensor x = wide.slice(1, 3, 80);  // strided
  const auto ones = [](int n) { return vector_of(std::vector<float>(static_cast<std::size_t>(n), 0.5F)); };
  const Linear q = Linear::w8a8("q", random_s8(33, 77, 2), ones(33), ones(33));
  const Linear k = Linear::w8a8("k", random_s8(8, 77, 3), ones(8), {});
  const Linear other = Linear::w8a8("other", random_s8(8, 77, 3), ones(8), {}, TokenScale::absmax_127_5);
  const Linear f = Linear::floating("f", random(5, 77, 4), {});
  const std::vector<const Linear*> layers{&q, &k, &other, &f, &q};
  const auto results = octavo::forward_all({&q, &k, &other, &f, &q}, x);
  REQUIRE(results.size() == layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    INFO(layers[i]->module_path());
    CHECK(floats(results[i]) == floats(layers[i]->forward(x)));
  }
  CHECK(floats(results[1]) != floats(results[2]));
  CHECK(message_of([&] {
          octavo::forward_all({&f, &q}, random(2, 76, 1));
        }) == message_of([&] { f.forward(random(2, 76, 1)); }));
}

TEST_CASE("backends agree to the bit where sums exceed float32's integers") {
  for (const std::int64_t k : {1025, 3421, 29567, 131071}) {
    Tensor x = random(3, k, 1);
    for (std::int64_t i = 0; i < k; ++i) x.mutable_data<float>()[i] = 127;  // a row of the largest sums
    Tensor w = random_s8(5, k, 2);
    for (std::int64_t i = 0; i < k; ++i) w.mutable_data<std::int8_t>()[i] = i % 97 == 0 ? 126 : 127;
    const Tensor scale = vector_of({0.125F, 1, 3, 5, 7});
    std::int64_t largest = 0;  // row 0 of x is quantized to 127 with scale 1
    for (std::int64_t i = 0; i < k; ++i) largest += 127 * w.data<std::int8_t>()[i];
    for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
      if (!backend.available) continue;
      octavo::force_int8_backend("portable");
      const Linear reference = Linear::w8a8("test", w, scale, {});
      octavo::force_int8_backend(backend.name);
      const Linear layer = Linear::w8a8("test", w, scale, {});
      octavo::force_int8_backend("");
      INFO(backend.name << " k " << k);
      CHECK(floats(layer.forward(x)) == floats(reference.forward(x)));
      CHECK(layer.forward(x).data<float>()[0] == static_cast<float>(largest) * 0.125F);
    }
  }
}

TEST_CASE("a w8a16 linear is (x q^T) * scale + b for every size") {
  for (const std::int64_t m : {1, 4, 5, 33})
    for (const std::int64_t n : {1, 7, 16, 17, 70})
      for (const std::int64_t k : {1, 31, 32, 33, 200})
        for (const bool with_bias : {false, true}) {
          const Tensor x = random(m, k, 1);
          const Tensor q = random_s8(n, k, 2);
          Tensor scale = random(n, 1, 4);
          // A power of two divides out of the result without rounding: x q^T + b / scale is left, which is a linear.
          for (float& value : scale.mutable_values<float>()) value = std::ldexp(1.0F, static_cast<int>(4 * value));
          const Tensor bias = with_bias ? random(1, n, 3).reshape({n}) : Tensor();
          INFO("m " << m << " n " << n << " k " << k);
          Tensor y = Linear::w8a16("test", q, scale, bias).forward(x);
          REQUIRE(y.shape() == octavo::Shape{m, n});
          for (std::int64_t i = 0; i < m * n; ++i) y.mutable_data<float>()[i] /= scale.data<float>()[i % n];
          Tensor shift = with_bias ? bias.clone() : Tensor();
          for (std::int64_t j = 0; with_bias && j < n; ++j) shift.mutable_data<float>()[j] /= scale.data<float>()[j];
          REQUIRE(worst_error(y, x, q.to(DType::f32), shift) < 1e-6);  // some 8 units of float32's rounding
        }
}

TEST_CASE("w8a16 keeps what lies beside an outlier, which int8 activations lose") {
  const Tensor x = row({4096, 0.5F, -0.25F, 2});  // int8's step is 32 here
  const Tensor q = Tensor::from<std::int8_t>(std::vector<std::int8_t>{0, 3, 2, 1}, {1, 4});
  const Tensor scale = vector_of({0.5F});
  CHECK(floats(Linear::w8a16("test", q, scale, {}).forward(x)) == std::vector<float>{1.5F});  // (1.5 - 0.5 + 2) / 2
  CHECK(floats(Linear::w8a8("test", q, scale, {}).forward(x)) == std::vector<float>{0});
}

TEST_CASE("a w8a16 weight wider than one panel is multiplied in panels") {
  const Tensor x = random(6, 40000, 1);
  const Tensor q = random_s8(50, 40000, 2);
  const Tensor ones = vector_of(std::vector<float>(50, 1.0F));
  CHECK(worst_error(Linear::w8a16("test", q, ones, {}).forward(x), x, q.to(DType::f32), {}) < 1e-6);
}

TEST_CASE("a w8a16 product of integers is exact, then scaled, then shifted") {
  // Sums below 2^24 are exact in float32 in any order; the two steps after them round once each.
  const Tensor a = random_s8(7, 500, 1);
  const Tensor q = random_s8(19, 500, 2);
  const Tensor x = a.to(DType::f32);
  std::vector<float> scale, bias;
  for (int j = 0; j < 19; ++j) {
    scale.push_back(0.01F * static_cast<float>(j + 1));
    bias.push_back(static_cast<float>(j) - 9.3F);
  }
  const std::vector<std::int64_t> sums = exact(a, q);
  std::vector<float> expected;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const volatile float product = static_cast<float>(sums[i]) * scale[i % 19];  // volatile: each step rounds
    expected.push_back(product + bias[i % 19]);
  }
  const Linear layer = Linear::w8a16("test", q, vector_of(scale), vector_of(bias));
  CHECK(floats(layer.forward(x)) == expected);
  CHECK(with_threads(3, [&] { return floats(layer.forward(x)); }) == expected);
  for (std::int64_t m = 1; m <= 7; ++m)
    CHECK(floats(layer.forward(x.slice(0, 0, m))) == std::vector<float>(expected.begin(), expected.begin() + m * 19));
}

TEST_CASE("a w8a16 linear gives the same bits for every thread count and shares its weight") {
  const Tensor wide = random_s8(501, 1400, 2);
  const Tensor part = wide.slice(1, 0, 700);  // strided: multiplied from a copy of its own
  const Tensor scale = random(501, 1, 3);
  for (const std::int64_t m : {3, 40}) {
    const Tensor x = random(m, 700, 1);
    const Linear layer = Linear::w8a16("test", part, scale, {});
    const std::vector<float> expected = with_threads(1, [&] { return floats(layer.forward(x)); });
    CHECK(with_threads(3, [&] { return floats(layer.forward(x)); }) == expected);
    CHECK(floats(Linear::w8a16("test", part.clone(), scale, {}).forward(x)) == expected);
  }
  Tensor own = random_s8(2, 3, 1);
  const Linear shared = Linear::w8a16("test", own, vector_of({1, 1}), {});
  own.mutable_data<std::int8_t>()[0] = 5;  // seen through the layer: not a copy
  const Tensor unit = row({1, 0, 0});
  CHECK(shared.forward(unit).data<float>()[0] == 5.0F);
}

TEST_CASE("more row counts than primitives are kept") {
  const Tensor w = random_s8(8, 33, 2);
  const Linear layer = Linear::w8a8("test", w, vector_of(std::vector<float>(8, 1.0F)), {});
  const Tensor x = random(40, 33, 1);
  const std::vector<float> all = floats(layer.forward(x));
  for (std::int64_t m = 1; m <= 40; ++m)
    REQUIRE(floats(layer.forward(x.slice(0, 0, m))) == std::vector<float>(all.begin(), all.begin() + m * 8));
}

TEST_CASE("scales are taken as published: [N,1], bf16") {
  const Tensor w = random_s8(3, 8, 1);
  const Tensor scale = vector_of({0.5F, 1, 2});
  const Tensor x = random(2, 8, 2);
  const std::vector<float> expected = floats(Linear::w8a8("a", w, scale, {}).forward(x));
  CHECK(floats(Linear::w8a8("a", w, scale.reshape({3, 1}), {}).forward(x)) == expected);
  CHECK(floats(Linear::w8a8("a", w, scale.to(DType::bf16), {}).forward(x)) == expected);
  const std::vector<float> weight_only = floats(Linear::w8a16("a", w, scale, {}).forward(x));
  CHECK(floats(Linear::w8a16("a", w, scale.reshape({3, 1}), {}).forward(x)) == weight_only);
  CHECK(floats(Linear::w8a16("a", w, scale.to(DType::f16), {}).forward(x)) == weight_only);
}

TEST_CASE("a layer knows itself") {
  CHECK_FALSE(Linear().defined());
  const Linear f = Linear::floating("a.b", random(3, 5, 1).to(DType::bf16), {});
  CHECK((f.defined() && !f.is_w8a8()));
  CHECK((f.in_features() == 5 && f.out_features() == 3 && f.weight_bytes() == 30 && f.module_path() == "a.b"));
  const Linear q = Linear::w8a8("c", random_s8(3, 5, 1), vector_of({1, 1, 1}), {});
  CHECK((q.defined() && q.is_w8a8() && q.weight_bytes() >= 27));
  const Linear h = Linear::w8a16("d", random_s8(3, 5, 1), vector_of({1, 1, 1}), {});
  CHECK((h.defined() && !h.is_w8a8() && h.weight_bytes() == 27 && h.module_path() == "d"));
  CHECK((f.kind() == octavo::LinearKind::floating && q.kind() == octavo::LinearKind::w8a8));
  CHECK((h.kind() == octavo::LinearKind::w8a16 && Linear().kind() == octavo::LinearKind::floating));
}

TEST_CASE("broken linears are refused before they compute") {
  CHECK(message_of([] { Linear().forward(random(1, 1, 1)); }) == "linear: forward on an undefined layer");
  CHECK(message_of([] { Linear::floating("m.q", random(3, 5, 1), {}).forward(random(2, 6, 1)); }) ==
        "linear (m.q): x [2, 6] dim 1 (K, in_features) is 6, but the layer's weight [3, 5] dim 1 set in_features to 5. "
        "The input's last dimension must be the layer's in_features: is this the right layer, and is x [rows, "
        "features]?");
  CHECK(message_of([] {
          Linear::floating("m.q", random(3, 5, 1), vector_of({1, 2}));
        }) == "linear (m.q): bias [2] dim 0 (N, out_features) is 2, but w [3, 5] dim 0 set out_features to 3.");
  CHECK(
      message_of([] {
        Linear::w8a8("m.q", random_s8(3, 5, 1), vector_of({1, 2}), {});
      }) ==
      "linear_w8a8 (m.q): w_scale [2] dim 0 (N, out_features) is 2, but w [3, 5] dim 0 set out_features to 3. A "
      "per-channel scale has one value per output channel (row of the weight); one value is a per-tensor scale: repeat "
      "it for every row, or quantize anew per channel.");
  CHECK(message_of([] { Linear::w8a8("m.q", random_s8(1, 131072, 1), vector_of({1}), {}); }) ==
        "linear_w8a8 (m.q): in_features is 131072, at most 131071 cannot overflow int32");
  CHECK(message_of([] {
          Linear::w8a8("m.q", random_s8(2, 4, 1), vector_of({1, std::numeric_limits<float>::quiet_NaN()}), {});
        }) == "linear_w8a8 (m.q): w_scale[1] is nan, a scale must be finite");
  CHECK(message_of([] {
          Linear::w8a16("m.q", random_s8(2, 4, 1), vector_of({1, std::numeric_limits<float>::infinity()}), {});
        }) == "linear_w8a16 (m.q): w_scale[1] is inf, a scale must be finite");
  CHECK(message_of([] {
          Linear::w8a16("m.q", random(2, 4, 1), vector_of({1, 1}), {});
        }) == "linear_w8a16 (m.q): w [2, 4] holds f32, s8 is needed");
  CHECK(message_of([] { Linear::w8a16("m.q", random_s8(3, 5, 1), vector_of({1}), {}); }) ==
        "linear_w8a16 (m.q): w_scale [1] dim 0 (N, out_features) is 1, but w [3, 5] dim 0 set out_features to 3. A "
        "per-channel scale has one value per output channel (row of the weight); one value is a per-tensor scale: "
        "repeat it for every row, or quantize anew per channel.");
  CHECK(message_of([] {
          Linear::w8a16("m.q", random_s8(3, 5, 1), vector_of({1, 1, 1}), {}).forward(random(2, 6, 1));
        }) ==
        "linear_w8a16 (m.q): x [2, 6] dim 1 (K, in_features) is 6, but the layer's weight [3, 5] dim 1 set in_features "
        "to 5. The input's last dimension must be the layer's in_features: is this the right layer, and is x [rows, "
        "features]?");
}

TEST_CASE("a linear without data checks and tells as one with data, and computes nothing") {
  const Tensor x = Tensor::meta(octavo::DType::f32, {3, 6});
  const Tensor float_weight = Tensor::meta(octavo::DType::bf16, {4, 6});
  const Tensor int8_weight = Tensor::meta(octavo::DType::s8, {4, 6});
  const Tensor scale = Tensor::meta(octavo::DType::f32, {4, 1});
  const Tensor bias = Tensor::meta(octavo::DType::f32, {4});
  const octavo::Shape promised{4, 6};
  const Linear floating = Linear::meta("m", octavo::LinearKind::floating, float_weight, {}, bias, promised);
  const Linear w8a8 = Linear::meta("m", octavo::LinearKind::w8a8, int8_weight, scale, bias, promised);
  for (const Linear& linear : {floating, w8a8}) {
    CHECK((linear.in_features() == 6 && linear.out_features() == 4));
    const Tensor y = linear.forward(x);
    CHECK((y.is_meta() && y.shape() == octavo::Shape{3, 4} && y.dtype() == octavo::DType::f32));
    CHECK(linear.forward(Tensor::zeros(octavo::DType::f32, {3, 6})).is_meta());  // the weight has none
    std::string refusal;
    try {
      linear.forward(Tensor::meta(octavo::DType::f32, {3, 5}));
    } catch (const octavo::Error& error) {
      refusal = error.what();
    }
    CHECK(refusal.find("x [3, 5] dim 1 (K, in_features) is 5, but the layer's weight [4, 6] dim 1 set in_features to "
                       "6") != std::string::npos);
  }
  CHECK(floating.weight_bytes() == 4 * 6 * 2 + 4 * 4);
  CHECK(w8a8.weight_bytes() == 4 * 6 + 4 * 4 + 4 * 4);
  const Linear real = Linear::floating("m", Tensor::zeros(octavo::DType::f32, {4, 6}), {});
  CHECK(real.forward(x).is_meta());

  // A weight that does not fit is refused by the forward pass, not before.
  const Linear broken =
      Linear::meta("m", octavo::LinearKind::floating, Tensor::meta(octavo::DType::bf16, {4}), {}, bias, promised);
  CHECK_THROWS_AS(broken.forward(x), octavo::Error);
  CHECK(quantize_per_token(x).values.is_meta());
  CHECK(octavo::gemm_s8(int8_weight, int8_weight).shape() == octavo::Shape{4, 4});
}
