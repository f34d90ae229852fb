// What preparing and quantizing a layer costs, against the float32 product's peak in the same run.
//
//     quant_bench [K] [N] [tokens] [threads]      2048 2048 4096 0
//
// Checks the result (GPTQ's loss below round-to-nearest's) before printing a time. `loss_told` and `rtn_loss_told` are
// the losses from 256 channels as a share of the exact ones. One JSON document on standard output.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quant.hpp"

namespace {

using octavo::DType;
using octavo::Tensor;

struct Cost {
  double wall = 0;  // seconds
  double cpu = 0;   // seconds, all threads together
};

template <class Job>
Cost cost_of(Job&& job) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  job();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC};
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

struct Collected {
  Cost cost;
  Tensor h;
};

Collected collect(const Tensor& x, octavo::FloatMath math) {
  octavo::HessianAccumulator sums(x.dim(1), "bench", math);
  Collected collected;
  collected.cost = cost_of([&] {
    sums.add(x);
    collected.h = sums.take();
  });
  return collected;
}

/// The least of four: of a product as large as the factor's are.
Cost sgemm_cost(std::int64_t n) {
  const Tensor a = noise(n, n, 4);
  Tensor c = Tensor::zeros(DType::f32, {n, n});
  const float* in = a.data<float>();
  auto* out = c.mutable_data<float>();
  Cost best{1e30, 1e30};
  for (int i = 0; i < 4; ++i) {
    const Cost cost = cost_of([&] { octavo::sgemm(n, n, n, in, n, in, n, out, n); });
    best = {std::min(best.wall, cost.wall), std::min(best.cpu, cost.cpu)};
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, long fallback) { return argc > i ? std::strtol(argv[i], nullptr, 10) : fallback; };
  const std::int64_t k = argument(1, 2048);
  const std::int64_t n = argument(2, 2048);
  const std::int64_t tokens = argument(3, 4096);
  octavo::set_num_threads(static_cast<int>(argument(4, 0)));
  try {
    constexpr std::int64_t kSquare = 3072;
    const Cost peak = sgemm_cost(kSquare);
    const double peak_work = 2e-9 * static_cast<double>(kSquare * kSquare * kSquare);
    const double work = 1e-9 / 3.0 * static_cast<double>(k) * static_cast<double>(k) * static_cast<double>(k);
    std::printf(
        "{\"K\": %ld, \"N\": %ld, \"tokens\": %ld, \"threads\": %d, \"sgemm_gflops\": %.1f, "
        "\"sgemm_gflops_cpu\": %.1f,\n \"runs\": [",
        long{k}, long{n}, long{tokens}, octavo::num_threads(), peak_work / peak.wall, peak_work / peak.cpu);
    const Tensor x = inputs(tokens, k);
    const Tensor w = noise(n, k, 5);
    const Collected exact = collect(x, octavo::FloatMath::f32);
    const Collected fast = collect(x, octavo::FloatMath::bf16);
    const double triangle = 1e-9 * static_cast<double>(tokens) * static_cast<double>(k) * static_cast<double>(k);
    std::printf(
        "\n  {\"hessian_f32_s\": %.3f, \"hessian_f32_cpu_s\": %.3f, \"hessian_f32_gflops_cpu\": %.1f, "
        "\"hessian_bf16_s\": %.3f, \"hessian_bf16_cpu_s\": %.3f, \"hessian_bf16_gflops_cpu\": %.1f},",
        exact.cost.wall, exact.cost.cpu, triangle / exact.cost.cpu, fast.cost.wall, fast.cost.cpu,
        triangle / fast.cost.cpu);
    bool first = true;
    for (const bool act_order : {false, true}) {
      octavo::GptqOptions options;
      options.act_order = act_order;
      std::vector<octavo::PreparedHessian> prepared;
      const Cost factor = cost_of([&] { prepared.emplace_back(exact.h, options, "bench"); });
      octavo::QuantizedLayer layer;
      const Cost quantize = cost_of([&] { layer = octavo::quantize_layer(w, prepared[0], options, "bench"); });
      octavo::QuantizedLayer told;  // its losses from as many channels as a job takes
      options.loss_channels = 256;
      const Cost sampled = cost_of([&] { told = octavo::quantize_layer(w, prepared[0], options, "bench"); });
      if (!(layer.loss < layer.rtn_loss) || layer.fell_back_to_rtn) {
        std::fprintf(stderr, "quant_bench: GPTQ is not below round-to-nearest: %g, %g\n", layer.loss, layer.rtn_loss);
        return 1;
      }
      std::printf(
          "%s\n  {\"act_order\": %s, \"factor_s\": %.3f, \"factor_gflops\": %.1f, \"factor_cpu_s\": %.3f, "
          "\"factor_gflops_cpu\": %.1f,\n   \"quantize_exact_losses_s\": %.3f, \"quantize_exact_losses_cpu_s\": %.3f, "
          "\"loss_over_rtn\": %.4f,\n   \"quantize_s\": %.3f, \"quantize_cpu_s\": %.3f, \"loss_told\": %.4f, "
          "\"rtn_loss_told\": %.4f}",
          first ? "" : ",", act_order ? "true" : "false", factor.wall, work / factor.wall, factor.cpu,
          work / factor.cpu, quantize.wall, quantize.cpu, layer.loss / layer.rtn_loss, sampled.wall, sampled.cpu,
          told.loss / layer.loss, told.rtn_loss / layer.rtn_loss);
      first = false;
    }
    std::printf("]}\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quant_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
