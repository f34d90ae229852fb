// What preparing and quantizing a layer costs, against the float32 product's peak in the same run.
//
//     quant_bench [K] [N] [tokens] [threads]      2048 2048 4096 0
//
// Checks the result (GPTQ's loss below round-to-nearest's) before printing a time. One JSON document on standard
// output.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quant.hpp"

namespace {

using octavo::DType;
using octavo::Tensor;

template <class Job>
double seconds(Job&& job) {
  const auto start = std::chrono::steady_clock::now();
  job();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Tensor noise(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::minstd_rand engine(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  Tensor t = Tensor::empty(DType::f32, {rows, columns});
  for (float& value : t.mutable_values<float>()) value = uniform(engine);
  return t;
}

/// Channels of uneven power that share directions, as in a language model.
Tensor inputs(std::int64_t tokens, std::int64_t k) {
  const std::int64_t rank = std::max<std::int64_t>(1, k / 8);
  const Tensor hidden = noise(tokens, rank, 1);
  Tensor mixing = noise(rank, k, 2);
  auto* m = mixing.mutable_data<float>();
  for (std::int64_t i = 0; i < mixing.numel(); ++i)
    m[i] *= std::exp2(static_cast<float>((i % k) * 37 % 64) / 16.0F - 2.0F);
  Tensor x = noise(tokens, k, 3);
  auto* out = x.mutable_data<float>();
  octavo::sgemm(tokens, k, rank, hidden.data<float>(), rank, m, k, out, k, {.beta = 0.3F});
  return x;
}

double sgemm_peak() {
  const std::int64_t n = 3072;
  const Tensor a = noise(n, n, 4);
  Tensor c = Tensor::zeros(DType::f32, {n, n});
  double best = 1e30;
  for (int i = 0; i < 4; ++i) {
    best = std::min(best, seconds([&] {
                      octavo::sgemm(n, n, n, a.data<float>(), n, a.data<float>(), n, c.mutable_data<float>(), n);
                    }));
  }
  return 2.0 * static_cast<double>(n * n * n) / best * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, long fallback) { return argc > i ? std::strtol(argv[i], nullptr, 10) : fallback; };
  const std::int64_t k = argument(1, 2048);
  const std::int64_t n = argument(2, 2048);
  const std::int64_t tokens = argument(3, 4096);
  octavo::set_num_threads(static_cast<int>(argument(4, 0)));
  try {
    const double peak = sgemm_peak();
    const double kd = static_cast<double>(k);
    std::printf("{\"K\": %ld, \"N\": %ld, \"tokens\": %ld, \"threads\": %d, \"sgemm_gflops\": %.1f,\n \"runs\": [",
                long(k), long(n), long(tokens), octavo::num_threads(), peak);
    const Tensor x = inputs(tokens, k);
    const Tensor w = noise(n, k, 5);
    octavo::HessianAccumulator collected(k, "bench");
    const double accumulate = seconds([&] { collected.add(x); });
    const Tensor h = collected.take();
    bool first = true;
    for (const bool act_order : {false, true}) {
      octavo::GptqOptions options;
      options.act_order = act_order;
      std::vector<octavo::PreparedHessian> prepared;
      const double factor = seconds([&] { prepared.emplace_back(h, options, "bench"); });
      octavo::QuantizedLayer layer;
      const double quantize = seconds([&] { layer = octavo::quantize_layer(w, prepared[0], options, "bench"); });
      if (!(layer.loss < layer.rtn_loss) || layer.fell_back_to_rtn) {
        std::fprintf(stderr, "quant_bench: GPTQ is not below round-to-nearest: %g, %g\n", layer.loss, layer.rtn_loss);
        return 1;
      }
      std::printf(
          "%s\n  {\"act_order\": %s, \"hessian_s\": %.3f, \"hessian_gflops\": %.1f, \"factor_s\": %.3f, "
          "\"factor_gflops\": %.1f, \"quantize_s\": %.3f, \"loss_over_rtn\": %.4f}",
          first ? "" : ",", act_order ? "true" : "false", accumulate,
          static_cast<double>(tokens) * kd * kd / accumulate * 1e-9, factor, 2.0 / 3.0 * kd * kd * kd / factor * 1e-9,
          quantize, layer.loss / layer.rtn_loss);
      first = false;
    }
    std::printf("]}\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quant_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
