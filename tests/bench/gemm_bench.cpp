// Speed of linears and attention at the shapes of the published models, beside this machine's limits as measured in
// the same run: int8 and float32 products at their best size, and a sum over memory.
//
//     gemm_bench [seconds per case] [threads]      0.2 0
//
// The int8 result is compared with the portable backend's before it is timed. One JSON document on standard output.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace {

using octavo::DType;
using octavo::Linear;
using octavo::Tensor;

struct Timing {
  double best = 1e30, median = 0;  // seconds
};

template <class Job>
Timing measure(double budget, Job&& job) {
  std::vector<double> runs;
  double total = 0;
  job();  // warm
  while (runs.size() < 3 || (total < budget && runs.size() < 10000)) {
    const auto start = std::chrono::steady_clock::now();
    job();
    runs.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += runs.back();
  }
  std::sort(runs.begin(), runs.end());
  return {runs.front(), runs[runs.size() / 2]};
}

Tensor noise(const octavo::Shape& shape, std::uint32_t seed) {
  Tensor t = Tensor::empty(DType::f32, shape);
  for (float& value : t.mutable_values<float>()) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F;
  }
  return t;
}

Tensor weights_s8(std::int64_t n, std::int64_t k) {
  Tensor t = Tensor::empty(DType::s8, {n, k});
  std::uint32_t seed = 7;
  for (std::int8_t& value : t.mutable_values<std::int8_t>()) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<std::int8_t>(static_cast<int>(seed >> 24U) - 128);
  }
  return t;
}

struct Case {
  const char* name;
  std::int64_t n, k;
};
constexpr Case kCases[] = {
    {"3b.q_proj", 2048, 2048}, {"3b.gate_proj", 11008, 2048}, {"3b.down_proj", 2048, 11008}, {"vit.gate", 3420, 1280}};

double read_peak(double budget) {  // GB/s of a float sum over 256 MiB, far beyond the caches
  const std::int64_t count = 64 << 20;
  const Tensor memory = Tensor::zeros(DType::f32, {count});
  const float* values = memory.data<float>();
  std::vector<double> sums(4096);
  const Timing timing = measure(budget, [&] {
    octavo::parallel_for(count, count / 64, [&](std::int64_t begin, std::int64_t end) {
      float lanes[64] = {};
      for (std::int64_t i = begin; i + 64 <= end; i += 64)
        for (std::int64_t j = 0; j < 64; ++j) lanes[j] += values[i + j];
      sums[static_cast<std::size_t>(begin % 4096)] = double{lanes[0]};
    });
  });
  return static_cast<double>(count) * 4e-9 / timing.best;
}

Linear w8a8(const Tensor& weight, const char* backend) {
  octavo::force_int8_backend(backend);
  const Tensor scale = noise({weight.dim(0)}, 3);
  Linear layer = Linear::w8a8("bench", weight, scale, {});
  octavo::force_int8_backend("");
  return layer;
}

void report(const char* op, const char* name, std::int64_t m, const Case& c, const Timing& t, double bytes) {
  std::printf(
      "  {\"op\": \"%s\", \"name\": \"%s\", \"M\": %lld, \"N\": %lld, \"K\": %lld, \"best_ms\": %.4f, "
      "\"median_ms\": %.4f, \"gops\": %.1f, \"gb_s\": %.1f},\n",
      op, name, static_cast<long long>(m), static_cast<long long>(c.n), static_cast<long long>(c.k), t.best * 1e3,
      t.median * 1e3, 2e-9 * static_cast<double>(m * c.n * c.k) / t.best, bytes * 1e-9 / t.best);
  std::fflush(stdout);
}

void attention_case(const char* name, std::int64_t q_len, std::int64_t kv_len, double budget) {
  const Tensor q = noise({1, 16, q_len, 128}, 1);
  const Tensor k = noise({1, 2, kv_len, 128}, 2);
  const Timing t =
      measure(budget, [&] { (void)octavo::attention(q, k, k, {.mask = octavo::Mask::causal(kv_len - q_len)}); });
  const double pairs =
      static_cast<double>(q_len) * (static_cast<double>(kv_len) - 0.5 * static_cast<double>(q_len - 1));
  std::printf(
      "  {\"op\": \"attention\", \"name\": \"%s\", \"Lq\": %lld, \"Lk\": %lld, \"best_ms\": %.4f, \"median_ms\": %.4f, "
      "\"gops\": %.1f}",
      name, static_cast<long long>(q_len), static_cast<long long>(kv_len), t.best * 1e3, t.median * 1e3,
      4e-9 * 16 * 128 * pairs / t.best);
}

}  // namespace

int main(int argc, char** argv) {
  const double budget = argc > 1 ? std::strtod(argv[1], nullptr) : 0.2;
  octavo::set_num_threads(argc > 2 ? static_cast<int>(std::strtol(argv[2], nullptr, 10)) : 0);
  try {
    const std::vector<octavo::BackendInfo> table = octavo::int8_backends();
    const char* wanted = std::getenv("OCTAVO_INT8_BACKEND");
    const std::string backend =
        wanted != nullptr
            ? wanted
            : std::find_if(table.begin(), table.end(), [](const auto& info) { return info.available; })->name;
    const std::int64_t side = 2048;
    const Tensor square = noise({side, side}, 5);
    Tensor product = Tensor::empty(DType::f32, {side, side});
    const Timing sgemm = measure(budget, [&] {
      octavo::sgemm(side, side, side, square.data<float>(), side, square.data<float>(), side,
                    product.mutable_data<float>(), side);
    });
    std::printf(
        "{\"threads\": %d, \"int8_backend\": \"%s\", \"read_gb_s\": %.1f, \"sgemm_2048_gflops\": %.1f, \"runs\": [\n",
        octavo::num_threads(), backend.c_str(), read_peak(budget),
        2e-9 * static_cast<double>(side * side * side) / sgemm.best);
    for (const Case& c : kCases) {
      const Tensor weight = weights_s8(c.n, c.k);
      const Linear int8 = w8a8(weight, backend.c_str());
      const Tensor probe = noise({3, c.k}, 9);
      const Tensor expected = w8a8(weight, "portable").forward(probe);
      const Tensor got = int8.forward(probe);
      if (!std::equal(got.values<float>().begin(), got.values<float>().end(), expected.values<float>().begin())) {
        std::fprintf(stderr, "gemm_bench: %s differs from portable\n", c.name);
        return 1;
      }
      const Linear bf16 = Linear::floating("bench", noise({c.n, c.k}, 4).to(DType::bf16), {});
      const Linear weight_only = Linear::w8a16("bench", weight, noise({c.n}, 3), {});
      const double weights = static_cast<double>(c.n * c.k);
      for (const std::int64_t m : {1, 4, 64, 512}) {
        const Tensor x = noise({m, c.k}, 6);
        report("w8a8", c.name, m, c, measure(budget, [&] { (void)int8.forward(x); }), weights);
        report("w8a16", c.name, m, c, measure(budget, [&] { (void)weight_only.forward(x); }), weights);
        report("bf16", c.name, m, c, measure(budget, [&] { (void)bf16.forward(x); }), 2 * weights);
      }
    }
    attention_case("decode", 1, 1024, budget);
    std::printf(",\n");
    attention_case("prefill", 1024, 1024, budget);
    std::printf("\n]}\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gemm_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
