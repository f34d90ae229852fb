// Layers that end their results where they are made, against the same operations one after the other: bit for bit.
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/detail/elementwise.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::Linear;

namespace {

Tensor scales(std::int64_t n, unsigned seed) {
  Tensor t = random(1, n, seed, 0.01F).reshape({n});
  for (float& value : t.mutable_values<float>()) value = std::fabs(value) + 1e-4F;
  return t;
}

// Layers of every kind and, where they have some, of every backend.
void for_each_kind(
    const std::function<void(const std::string&,
                             const std::function<Linear(std::int64_t n, std::int64_t k, unsigned seed)>&)>& test) {
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) {
      WARN(backend.name << " does not run here: " << backend.detail);
      continue;
    }
    test("w8a8:" + backend.name, [&](std::int64_t n, std::int64_t k, unsigned seed) {
      octavo::force_int8_backend(backend.name);
      const Tensor bias = seed % 2 == 0 ? Tensor() : random(1, n, seed + 1).reshape({n});
      Linear layer = Linear::w8a8("layer", random_s8(n, k, seed), scales(n, seed + 2), bias);
      octavo::force_int8_backend("");
      return layer;
    });
  }
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    test("bf16:" + backend.name, [](std::int64_t n, std::int64_t k, unsigned seed) {
      return Linear::floating("layer", random(n, k, seed).to(DType::bf16), random(1, n, seed + 1).reshape({n}));
    });
    test("bf16, rounded:" + backend.name, [](std::int64_t n, std::int64_t k, unsigned seed) {
      return Linear::floating("layer", random(n, k, seed).to(DType::bf16), {}, octavo::FloatMath::bf16);
    });
    test("w8a16:" + backend.name, [](std::int64_t n, std::int64_t k, unsigned seed) {
      return Linear::w8a16("layer", random_s8(n, k, seed), scales(n, seed + 2), {});
    });
  }
  octavo::force_float_backend("");
}

struct Size {
  std::int64_t m, n, k;
};
constexpr Size kSizes[] = {{1, 1, 1},       {1, 33, 65},     {3, 70, 130},   {4, 16, 64},   {5, 15, 63},
                           {12, 31, 515},   {13, 65, 40},    {32, 17, 64},   {33, 48, 129}, {97, 130, 700},
                           {300, 1100, 70}, {530, 40, 1100}, {300, 80, 4200}};

// Results of 4 MiB and more, which some kernels write past the caches: whole panels, an odd number of them, and a rest.
constexpr Size kLargeResults[] = {{1030, 1024, 65}, {2050, 528, 70}, {706, 1503, 64}};

}  // namespace

TEST_CASE("results larger than a cache have the bits of the portable backend") {
  for (const auto& [m, n, k] : kLargeResults) {
    const Tensor x = random(m, k, 1);
    std::vector<std::vector<float>> expected;
    for (const std::string backend : {"portable", ""}) {
      octavo::force_int8_backend(backend);
      const Tensor bias = random(1, n, 9).reshape({n});
      const Linear gate = Linear::w8a8("gate", random_s8(n, k, 3), scales(n, 5), bias);
      const Linear up = Linear::w8a8("up", random_s8(n, k, 4), scales(n, 6), {});
      for (const int threads : {1, 3}) {
        INFO(backend << " m " << m << " n " << n << " k " << k << " threads " << threads);
        const std::vector<std::vector<float>> results = with_threads(threads, [&] {
          return std::vector{floats(gate.forward(x)), floats(gate.forward_gelu(x)),
                             floats(octavo::forward_gated(gate, up, x))};
        });
        if (expected.empty()) expected = results;
        const bool same = results == expected;  // a million values that nobody wants to see
        REQUIRE(same);
      }
      octavo::force_int8_backend("");
    }
  }
}

TEST_CASE("float results larger than a cache have the bits of some rows after the other") {
  // Whole strips of every kernel, and no few rows left: these have orders of their own.
  constexpr std::int64_t kTogether = 96;
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    for (const octavo::FloatMath math : {octavo::FloatMath::f32, octavo::FloatMath::bf16})
      for (const auto& [m, n, k] : kLargeResults) {
        INFO(backend.name << " m " << m << " n " << n << " k " << k << " in bf16 "
                          << (math == octavo::FloatMath::bf16));
        const Linear gate =
            Linear::floating("gate", random(n, k, 3).to(DType::bf16), random(1, n, 9).reshape({n}), math);
        const Linear up = Linear::floating("up", random(n, k, 4).to(DType::bf16), {}, math);
        const Tensor x = random(m, k, 1);
        std::vector<float> forward, gelu, gated;
        for (std::int64_t row = 0; row < m; row += kTogether) {
          const Tensor part = x.slice(0, row, std::min(row + kTogether, m));
          const auto append = [](std::vector<float>& to, const Tensor& results) {
            to.insert(to.end(), results.values<float>().begin(), results.values<float>().end());
          };
          append(forward, gate.forward(part));
          append(gelu, gate.forward_gelu(part));
          append(gated, octavo::forward_gated(gate, up, part));
        }
        for (const int threads : {1, 3})
          with_threads(threads, [&] {
            const bool same[] = {floats(gate.forward(x)) == forward, floats(gate.forward_gelu(x)) == gelu,
                                 floats(octavo::forward_gated(gate, up, x)) == gated};
            for (const bool each : same) REQUIRE(each);
            return 0;
          });
      }
  }
  octavo::force_float_backend("");
}

TEST_CASE("forward_add gives the bits of forward and an addition") {
  for_each_kind([](const std::string& kind, const auto& make) {
    for (const auto& [m, n, k] : kSizes) {
      INFO(kind << " m " << m << " n " << n << " k " << k);
      const Linear layer = make(n, k, 5);
      const Tensor x = random(m, k, 1);
      const Tensor before = random(m, n, 2);
      const Tensor y = layer.forward(x);
      Tensor apart = before.clone();
      octavo::detail::add(apart.mutable_data<float>(), y.data<float>(), y.numel());
      for (const int threads : {1, 3}) {
        Tensor together = before.clone();
        with_threads(threads, [&] {
          layer.forward_add(x, together);
          return 0;
        });
        REQUIRE(floats(together) == floats(apart));
      }
    }
  });
}

TEST_CASE("forward_gelu gives the bits of forward and gelu") {
  for_each_kind([](const std::string& kind, const auto& make) {
    for (const auto& [m, n, k] : kSizes) {
      INFO(kind << " m " << m << " n " << n << " k " << k);
      const Linear layer = make(n, k, 6);
      const Tensor x = random(m, k, 1);
      Tensor apart = layer.forward(x);
      octavo::detail::gelu(apart.mutable_data<float>(), apart.numel());
      for (const int threads : {1, 3})
        REQUIRE(floats(with_threads(threads, [&] { return layer.forward_gelu(x); })) == floats(apart));
    }
  });
}

TEST_CASE("forward_gated gives the bits of gate and up and their product") {
  for_each_kind([](const std::string& kind, const auto& make) {
    for (const auto& [m, n, k] : kSizes) {
      INFO(kind << " m " << m << " n " << n << " k " << k);
      const Linear gate = make(n, k, 7);
      const Linear up = make(n, k, 8);
      const Tensor x = random(m, k, 1);
      Tensor apart = gate.forward(x);
      const Tensor by = up.forward(x);
      octavo::detail::silu_multiply(apart.mutable_data<float>(), by.data<float>(), by.numel());
      for (const int threads : {1, 3})
        REQUIRE(floats(with_threads(threads, [&] { return forward_gated(gate, up, x); })) == floats(apart));
    }
  });
}

TEST_CASE("a gate and an up of different kinds or backends are multiplied one after the other") {
  const Tensor x = random(40, 100, 1);
  octavo::force_int8_backend("portable");
  const Linear portable = Linear::w8a8("gate", random_s8(50, 100, 2), scales(50, 3), {});
  octavo::force_int8_backend("");
  const Linear best = Linear::w8a8("up", random_s8(50, 100, 4), scales(50, 5), {});
  const Linear other = Linear::w8a8("up", random_s8(50, 100, 4), scales(50, 5), {}, octavo::TokenScale::absmax_127_5);
  const Linear floating = Linear::floating("up", random(50, 100, 6), {});
  const Linear narrow = Linear::floating("up", random(50, 100, 7).to(DType::bf16), {});
  const Linear rounded = Linear::floating("up", random(50, 100, 8).to(DType::bf16),
                                          vector_of(std::vector<float>(50, 0.5F)), octavo::FloatMath::bf16);
  const Linear bytes = Linear::w8a16("up", random_s8(50, 100, 9), scales(50, 10), {});
  const Linear* layers[] = {&portable, &best, &other, &floating, &narrow, &rounded, &bytes};
  for (const Linear* gate : layers)
    for (const Linear* up : layers) {
      Tensor apart = gate->forward(x);
      const Tensor by = up->forward(x);
      octavo::detail::silu_multiply(apart.mutable_data<float>(), by.data<float>(), by.numel());
      CHECK(floats(forward_gated(*gate, *up, x)) == floats(apart));
    }
}

TEST_CASE("endings of a strided x and of nothing") {
  const Linear layer = Linear::w8a8("q", random_s8(9, 20, 1), scales(9, 2), {});
  const Tensor part = random(6, 40, 3).slice(1, 7, 27);
  Tensor strided = Tensor::zeros(DType::f32, {6, 9});
  Tensor dense = Tensor::zeros(DType::f32, {6, 9});
  layer.forward_add(part, strided);
  layer.forward_add(part.clone(), dense);
  CHECK(floats(strided) == floats(dense));
  Tensor none = Tensor::zeros(DType::f32, {0, 9});
  layer.forward_add(random(0, 20, 1), none);
  CHECK(layer.forward_gelu(random(0, 20, 1)).shape() == octavo::Shape{0, 9});
  CHECK(forward_gated(layer, layer, random(0, 20, 1)).shape() == octavo::Shape{0, 9});
  const Linear no_terms = Linear::w8a8("q", random_s8(2, 0, 1), vector_of({1, 1}), vector_of({1, 2}));
  Tensor sum = Tensor::from<float>(std::vector<float>{10, 20}, {1, 2});
  no_terms.forward_add(random(1, 0, 1), sum);
  CHECK(floats(sum) == std::vector<float>{11, 22});
}

TEST_CASE("what does not fit an ending is refused before anything changes") {
  const Linear layer = Linear::w8a8("model.o_proj", random_s8(9, 20, 1), scales(9, 2), {});
  const Tensor x = random(6, 20, 1);
  Tensor narrow = Tensor::zeros(DType::f32, {6, 8});
  CHECK_THROWS_WITH(layer.forward_add(x, narrow),
                    "linear_add (model.o_proj): residual [6, 8] dim 1 (N, out_features) is 8, but the layer's "
                    "out_features set out_features to 9.");
  Tensor strided = Tensor::zeros(DType::f32, {6, 18}).slice(1, 0, 9);
  CHECK_THROWS_WITH(layer.forward_add(x, strided), "linear_add (model.o_proj): residual is a strided view");
  Tensor undefined;
  CHECK_THROWS_AS(layer.forward_add(x, undefined), octavo::Error);
  Tensor right = Tensor::zeros(DType::f32, {6, 9});
  CHECK_THROWS_AS(layer.forward_add(random(6, 21, 1), right), octavo::Error);
  CHECK(floats(right) == std::vector<float>(54));
  CHECK_THROWS_WITH(forward_gated(layer, Linear::floating("up", random(9, 21, 1), {}), x),
                    "forward_gated: model.o_proj is [9, 20] and up [9, 21]: gate and up have one shape");
  CHECK_THROWS_AS(Linear().forward_add(x, right), octavo::Error);
}
