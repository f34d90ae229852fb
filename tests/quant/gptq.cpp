#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>

#include "catch.hpp"
#include "octavo/cancel.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quantize.hpp"
#include "support.hpp"

using namespace octavo;
using namespace quant_test;

namespace {

GptqOptions options_with(bool act_order, DType scale_dtype = DType::f32) {
  GptqOptions options;
  options.act_order = act_order;
  options.scale_dtype = scale_dtype;
  return options;
}

/// Inverse of a small symmetric positive definite matrix, Gauss-Jordan, float64.
std::vector<double> inverse(std::vector<double> a, std::size_t n) {
  std::vector<double> b(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) b[i * n + i] = 1;
  for (std::size_t p = 0; p < n; ++p) {
    const double pivot = a[p * n + p];
    for (std::size_t j = 0; j < n; ++j) a[p * n + j] /= pivot, b[p * n + j] /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      if (i == p) continue;
      const double factor = a[i * n + p];
      for (std::size_t j = 0; j < n; ++j) a[i * n + j] -= factor * a[p * n + j], b[i * n + j] -= factor * b[p * n + j];
    }
  }
  return b;
}

/// Optimal Brain Quantization in a given order, the textbook way: after each weight the others move by the explicit
/// inverse Hessian of what is left, which then loses the row and column (arXiv:2208.11580, eq. 3 and lemma 1).
std::vector<std::int8_t> brute_force(const Tensor& w, const Tensor& h, const Tensor& scales, double damp,
                                     const std::vector<std::size_t>& order) {
  const auto k = static_cast<std::size_t>(w.dim(1));
  std::vector<double> damped(h.values<float>().begin(), h.values<float>().end());
  double mean = 0;
  for (std::size_t i = 0; i < k; ++i) mean += damped[i * k + i] / static_cast<double>(k);
  for (std::size_t i = 0; i < k; ++i) damped[i * k + i] += damp * mean;
  std::vector<std::int8_t> q(static_cast<std::size_t>(w.numel()));
  for (std::size_t n = 0; n < static_cast<std::size_t>(w.dim(0)); ++n) {
    std::vector<double> row(w.data<float>() + n * k, w.data<float>() + (n + 1) * k);
    std::vector<double> inv = inverse(damped, k);
    const double scale = scales.data<float>()[n];
    for (const std::size_t p : order) {
      // Each row's extreme lies at +-127.5 scales, a tie by construction: both sides must divide in float32.
      const float ratio = static_cast<float>(row[p]) / static_cast<float>(scale);
      const double level = std::clamp(std::nearbyint(double{ratio}), -128.0, 127.0);
      q[n * k + p] = static_cast<std::int8_t>(level);
      const double error = (row[p] - level * scale) / inv[p * k + p];
      for (std::size_t j = 0; j < k; ++j) row[j] -= error * inv[p * k + j];
      const std::vector<double> before = inv;
      for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < k; ++j) inv[i * k + j] -= before[i * k + p] * before[p * k + j] / before[p * k + p];
      }
      inv[p * k + p] = 1;  // gone: never used again, kept away from 0/0
    }
  }
  return q;
}

}  // namespace

TEST_CASE("GPTQ is Optimal Brain Quantization with explicit inverse updates") {
  const bool act_order = GENERATE(false, true);
  const std::int64_t block_size = GENERATE(1, 5, 128);
  for (const std::int64_t k : {1, 2, 3, 7, 16, 33}) {
    for (unsigned seed = 0; seed < 4; ++seed) {
      const Tensor w = random(5, k, 100 + seed);
      const Tensor h = hessian_of(correlated(3 * k + 4, k, 200 + seed, std::max<std::int64_t>(1, k / 2), 0.5F));
      GptqOptions options = options_with(act_order);
      options.block_size = block_size;
      std::vector<std::size_t> order(static_cast<std::size_t>(k));
      std::iota(order.begin(), order.end(), std::size_t{0});
      if (act_order) {
        const auto diagonal = [&](std::size_t i) { return h.data<float>()[i * static_cast<std::size_t>(k) + i]; };
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return diagonal(a) > diagonal(b); });
      }
      const QuantizedLayer layer = quantize(w, h, options);
      INFO("K " << k << ", seed " << seed << ", block " << options.block_size << ", act_order " << act_order);
      CHECK(integers(layer) == brute_force(w, h, layer.scales, options.damp_percent, order));
    }
  }
}

TEST_CASE("With H = I, GPTQ is round-to-nearest") {
  const Tensor w = random(9, 70, 1);
  Tensor h = Tensor::zeros(DType::f32, {70, 70});
  for (std::int64_t i = 0; i < 70; ++i) h.mutable_data<float>()[i * 71] = 3.0F;
  for (const bool act_order : {false, true}) {
    const QuantizedLayer layer = quantize(w, h, options_with(act_order));
    CHECK(integers(layer) == integers(quantize_layer_rtn(w, options_with(act_order), "layer")));
    CHECK(layer.loss == layer.rtn_loss);
  }
}

TEST_CASE("Losses are the objective on the Hessian handed in, and GPTQ's is below round-to-nearest's") {
  for (unsigned seed = 0; seed < 8; ++seed) {
    const std::int64_t k = 96 + 8 * static_cast<std::int64_t>(seed);
    const Tensor w = random(40, k, seed);
    const Tensor h = hessian_of(correlated(300, k, 50 + seed, 24));
    const GptqOptions options = options_with(seed % 2 == 0, seed % 3 == 0 ? DType::f32 : DType::bf16);
    const QuantizedLayer layer = quantize(w, h, options);
    CHECK(layer.loss == Approx(objective(w, layer, h)).epsilon(2e-4));  // float32 products of float32 differences
    CHECK(layer.rtn_loss == Approx(objective(w, quantize_layer_rtn(w, options, "layer"), h)).epsilon(2e-4));
    CHECK(layer.loss < 0.5 * layer.rtn_loss);  // 24 of ~100 directions carry the power
    CHECK(layer.damp_used == 0.01);
    CHECK_FALSE(layer.fell_back_to_rtn);
  }
}

TEST_CASE("Losses can be told from some of the channels") {
  const std::int64_t n = 150;
  const std::int64_t k = 80;
  Tensor w = random(n, k, 60);
  for (std::int64_t i = 0; i < n * k; ++i) w.mutable_data<float>()[i] *= 1.0F + static_cast<float>(i / k % 7);
  const Tensor h = hessian_of(correlated(300, k, 61, 20));
  GptqOptions options = options_with(true);
  const QuantizedLayer exact = quantize(w, h, options);
  const QuantizedLayer nearest = quantize_layer_rtn(w, options, "layer");
  options.loss_channels = 40;
  const QuantizedLayer told = quantize(w, h, options);
  CHECK(integers(told) == integers(exact));
  // Channels 0, 3, 7, 11, ...: i * 150 / 40, weighed by the squares of all scales over those of theirs.
  double loss = 0;
  double rtn_loss = 0;
  double theirs = 0;
  double all = 0;
  for (std::int64_t i = 0; i < n; ++i) all += std::pow(double{exact.scales.data<float>()[i]}, 2);
  for (std::int64_t i = 0; i < 40; ++i) {
    const std::int64_t row = i * n / 40;
    theirs += std::pow(double{exact.scales.data<float>()[row]}, 2);
    const auto of = [&](const QuantizedLayer& layer) {
      QuantizedLayer one;
      one.weight = layer.weight.slice(0, row, row + 1);
      one.scales = layer.scales.slice(0, row, row + 1);
      return objective(w.slice(0, row, row + 1), one, h);
    };
    loss += of(exact);
    rtn_loss += of(nearest);
  }
  CHECK(told.loss == Approx(loss * all / theirs).epsilon(2e-4));
  CHECK(told.rtn_loss == Approx(rtn_loss * all / theirs).epsilon(2e-4));
  CHECK(told.loss == Approx(exact.loss).epsilon(0.2));  // 40 of 150
  options.loss_channels = -1;
  CHECK(message_of([&] { quantize(w, h, options); }) ==
        "hessian (inputs): loss_channels is -1, it must be 0 (all) or more");
}

TEST_CASE("A block size changes nothing but rounding, H's scale nothing at all") {
  const Tensor w = random(33, 300, 4);  // wider than a factor block of 256
  const Tensor h = hessian_of(correlated(700, 300, 5, 100, 0.5F));
  const QuantizedLayer reference = quantize(w, h, options_with(true));
  for (const std::int64_t block : {1, 7, 127, 129, 300, 4096}) {
    GptqOptions options = options_with(true);
    options.block_size = block;
    const QuantizedLayer layer = quantize(w, h, options);
    INFO("block " << block);
    CHECK(share_equal(integers(layer), integers(reference)) > 0.99);  // a rounding tie that flips moves its row's rest
    CHECK(layer.loss == Approx(reference.loss).epsilon(0.01));
  }
  Tensor scaled = h.clone();
  for (float& value : scaled.mutable_values<float>()) value *= 1.0F / 65536.0F;
  CHECK(integers(quantize(w, scaled, options_with(true))) == integers(reference));
}

TEST_CASE("A permutation of the inputs permutes the result of act-order") {
  const std::int64_t k = 50;
  const Tensor w = random(6, k, 7);
  const Tensor x = correlated(200, k, 8, 20, 0.5F);
  Tensor w2 = w.clone();
  Tensor x2 = x.clone();
  const auto moved = [&](std::int64_t i) { return (i * 13 + 5) % k; };
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t n = 0; n < 6; ++n) w2.mutable_data<float>()[n * k + moved(i)] = w.data<float>()[n * k + i];
    for (std::int64_t t = 0; t < 200; ++t) x2.mutable_data<float>()[t * k + moved(i)] = x.data<float>()[t * k + i];
  }
  const auto q = integers(quantize(w, hessian_of(x), options_with(true)));
  const auto q2 = integers(quantize(w2, hessian_of(x2), options_with(true)));
  std::vector<std::int8_t> back(q.size());
  for (std::int64_t n = 0; n < 6; ++n) {
    for (std::int64_t i = 0; i < k; ++i)
      back[static_cast<std::size_t>(n * k + i)] = q2[static_cast<std::size_t>(n * k + moved(i))];
  }
  CHECK(back == q);
}

TEST_CASE("Every thread count gives the same bits") {
  const std::int64_t k = 1300;  // several factor blocks, two error panels
  const Tensor w = random(70, k, 11);
  const Tensor x = correlated(400, k, 12, 60);
  std::vector<float> first_h;
  std::vector<std::int8_t> first_q;
  double first_loss = 0;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    HessianAccumulator collected(k, "inputs");
    collected.add(x.slice(0, 0, 150));
    collected.add(x.slice(0, 150, 400));
    const Tensor h = collected.take();
    const QuantizedLayer layer = quantize(w, h, options_with(true, DType::bf16));
    if (threads == 1) {
      first_h.assign(h.values<float>().begin(), h.values<float>().end());
      first_q = integers(layer);
      first_loss = layer.loss;
    }
    INFO(threads << " threads");
    CHECK(std::equal(first_h.begin(), first_h.end(), h.values<float>().begin()));
    CHECK(integers(layer) == first_q);
    CHECK(layer.loss == first_loss);
  }
  set_num_threads(0);
}

TEST_CASE("Dead columns become 0 and leave the others alone") {
  const std::int64_t k = 24;
  const Tensor w = random(5, k, 20);
  Tensor x = correlated(90, k, 21, 10, 0.5F);
  for (std::int64_t t = 0; t < 90; ++t) x.mutable_data<float>()[t * k] = x.mutable_data<float>()[t * k + 9] = 0;
  const Tensor h = hessian_of(x);
  const bool act_order = GENERATE(false, true);
  const QuantizedLayer layer = quantize(w, h, options_with(act_order));
  CHECK(layer.dead_columns == 2);
  for (std::int64_t n = 0; n < 5; ++n) {
    CHECK(layer.weight.data<std::int8_t>()[n * k] == 0);
    CHECK(layer.weight.data<std::int8_t>()[n * k + 9] == 0);
  }
  CHECK(layer.loss < layer.rtn_loss);
}

TEST_CASE("No live column: round-to-nearest, and it says so") {
  const Tensor w = random(3, 8, 22);
  const QuantizedLayer layer = quantize(w, Tensor::zeros(DType::f32, {8, 8}), options_with(true));
  CHECK(layer.fell_back_to_rtn);
  CHECK(layer.dead_columns == 8);
  CHECK(integers(layer) == integers(quantize_layer_rtn(w, options_with(true), "layer")));
}

TEST_CASE("Rows of zeros stay zero and take the least scale") {
  Tensor w = random(4, 20, 23);
  std::fill_n(w.mutable_data<float>() + 20, 20, 0.0F);
  const QuantizedLayer layer = quantize(w, hessian_of(correlated(80, 20, 24, 8)), options_with(true));
  CHECK(layer.scales.data<float>()[1] == 1.1920929e-07F);
  CHECK(std::all_of(layer.weight.data<std::int8_t>() + 20, layer.weight.data<std::int8_t>() + 40,
                    [](auto q) { return q == 0; }));
}

TEST_CASE("A Hessian that is not positive definite is damped until it is") {
  Tensor h = Tensor::zeros(DType::f32, {4, 4});
  const auto fill = [&](float off) {
    for (std::int64_t i = 0; i < 4; ++i) {
      for (std::int64_t j = 0; j < 4; ++j) h.mutable_data<float>()[i * 4 + j] = i == j ? 1.0F : off;
    }
  };
  const Tensor w = random(3, 4, 30);
  GptqOptions options = options_with(true);
  options.damp_percent = 0;
  fill(1.0F);  // rank 1: eigenvalues 4, 0, 0, 0
  CHECK(quantize(w, h, options).damp_used == Approx(1e-4));
  options.damp_percent = 0.01;
  fill(1.05F);  // least eigenvalue -0.05: 0.01 fails, 0.1 does
  CHECK(quantize(w, h, options).damp_used == Approx(0.1));
  fill(1.5F);  // -0.5: only 1.0 does
  const QuantizedLayer last = quantize(w, h, options);
  CHECK(last.damp_used == Approx(1.0));
  CHECK_FALSE(last.fell_back_to_rtn);
  fill(-0.9F);  // 1 - 2.7 = -1.7: nothing does
  const QuantizedLayer fallen = quantize(w, h, options);
  CHECK(fallen.fell_back_to_rtn);
  CHECK(fallen.damp_used == 0);
  CHECK(integers(fallen) == integers(quantize_layer_rtn(w, options, "layer")));
}

TEST_CASE("Fewer rows than columns: singular, yet better than round-to-nearest") {
  const Tensor w = random(20, 64, 40);
  const Tensor h = hessian_of(random(10, 64, 41));
  const QuantizedLayer layer = quantize(w, h, options_with(true));
  CHECK(layer.damp_used == 0.01);
  CHECK(layer.loss < 0.1 * layer.rtn_loss);
}

TEST_CASE("Bad weights, Hessians and options are refused by name") {
  const GptqOptions options = options_with(true);
  const Tensor h = hessian_of(correlated(40, 6, 50, 3));
  const PreparedHessian prepared(h.clone(), options, "block.input");
  const auto run = [&](const Tensor& w, const GptqOptions& o) {
    return message_of([&] { quantize_layer(w, prepared, o, "q_proj"); });
  };
  Tensor w = random(3, 6, 51);
  w.mutable_data<float>()[8] = std::numeric_limits<float>::quiet_NaN();
  CHECK(run(w, options) == "quantize_layer (q_proj): weight[1,2] is NaN; every value must be finite");
  w.mutable_data<float>()[8] = -std::numeric_limits<float>::infinity();
  CHECK(run(w, options) == "quantize_layer (q_proj): weight[1,2] is infinite; every value must be finite");
  CHECK(run(random(3, 5, 1), options) ==
        "quantize_layer (q_proj): the weight is [3, 5], so K is 5, but the Hessian of block.input is [6, 6]");
  CHECK(run(Tensor::empty(DType::f32, {0, 6}), options) ==
        "quantize_layer (q_proj): the weight is [0, 6], [N,K] with at least one element is needed");
  CHECK(run(Tensor::zeros(DType::s8, {3, 6}), options) ==
        "quantize_layer (q_proj): the weight is s8, f32, bf16 or f16 is needed");
  CHECK(run(Tensor(), options) == "quantize_layer (q_proj): the weight is undefined");
  GptqOptions other = options;
  other.act_order = false;
  CHECK(run(random(3, 6, 1), other) ==
        "quantize_layer (q_proj): act_order is not what the Hessian of block.input was prepared with; prepare one with "
        "the same "
        "options");
  other = options;
  other.damp_percent = -0.5;
  CHECK(run(random(3, 6, 1), other) ==
        "quantize_layer (q_proj): damp_percent is -0.5, it must lie between 0 and 1 (0.01 is one percent)");
  other = options;
  other.block_size = 0;
  CHECK(run(random(3, 6, 1), other) == "quantize_layer (q_proj): block_size is 0, it must lie between 1 and 4096");
  other = options;
  other.scale_dtype = DType::s8;
  CHECK(run(random(3, 6, 1), other) == "quantize_layer (q_proj): scale_dtype is s8, it must be f32, bf16 or f16");

  const auto prepare = [&](const Tensor& bad) { return message_of([&] { PreparedHessian(bad, options, "in"); }); };
  Tensor bad = h.clone();
  bad.mutable_data<float>()[7] = std::numeric_limits<float>::infinity();
  CHECK(prepare(bad) == "hessian (in): H[1,1] is infinite; every value must be finite");
  bad = h.clone();
  bad.mutable_data<float>()[7] = -1;
  CHECK(prepare(bad) == "hessian (in): H[1,1] is negative; a sum of squares cannot be");
  bad = h.clone();
  bad.mutable_data<float>()[2] += 100 * bad.data<float>()[0];
  CHECK(prepare(bad) == "hessian (in): H[2,0] and H[0,2] differ; the Hessian must be symmetric");
  CHECK(prepare(Tensor::zeros(DType::f32, {3, 4})) ==
        "hessian (in): H is [3, 4], [K,K] with at least one element is needed");
}

TEST_CASE("bf16 and f16 weights are what their float32 values are") {
  const Tensor w = random(5, 40, 60).to(DType::bf16);
  const Tensor h = hessian_of(correlated(100, 40, 61, 12));
  CHECK(integers(quantize(w, h, options_with(true))) == integers(quantize(w.to(DType::f32), h, options_with(true))));
}

TEST_CASE("quantizing a layer ends when its thread is cancelled and adds no half sample") {
  const std::int64_t n = 24, k = 96;
  const Tensor w = random(n, k, 3), x = correlated(300, k, 4, 9);
  HessianAccumulator accumulator(k, "x");
  std::atomic<bool> flag{true};
  {
    const CancelScope scope(&flag);
    CHECK_THROWS_WITH(accumulator.add(x), "cancelled by the caller");
  }
  accumulator.add(x);
  CHECK(accumulator.rows() == 300);
  const Tensor hessian = accumulator.take();
  const PreparedHessian prepared(hessian, {}, "x");
  {
    const CancelScope scope(&flag);
    CHECK_THROWS_WITH(PreparedHessian(hessian, {}, "x"), "cancelled by the caller");
    CHECK_THROWS_WITH(quantize_layer(w, prepared, {}, "w"), "cancelled by the caller");
    CHECK_THROWS_WITH(quantize_layer_rtn(w, {}, "w"), "cancelled by the caller");
  }
  CHECK(quantize_layer(w, prepared, {}, "w").loss < quantize_layer(w, prepared, {}, "w").rtn_loss);
}
