// Speed of linears and attention at the shapes of the published models, beside this machine's limits as measured in
// the same run (examples/cli/limits).
//
//     gemm_bench [seconds per case] [threads] [text that a case's name contains]      0.2 0 ""
//
// Every int8 backend that runs here is compared with `portable` before it is timed, as a whole layer ("w8a8:NAME") and
// as the bare product of rows that are int8 already ("product:NAME"); every float backend as "bf16:NAME" and so on. One
// JSON document on standard output.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "backend.hpp"
#include "limits/limits.hpp"
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

// With one thread, its own time: other jobs on the machine then disturb less.
double seconds() {
  timespec now{};
  ::clock_gettime(octavo::num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Job>
Timing measure(double budget, Job&& job) {
  std::vector<double> runs;
  double total = 0;
  job();  // warm
  while (runs.size() < 3 || (total < budget && runs.size() < 10000)) {
    const double start = seconds();
    job();
    runs.push_back(seconds() - start);
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
    {"3b.q_proj", 2048, 2048},     {"3b.kv_proj", 256, 2048}, {"3b.gate_proj", 11008, 2048},
    {"3b.down_proj", 2048, 11008}, {"vit.gate", 3420, 1280},  {"vit.down", 1280, 3420},
    {"tiny.q_proj", 192, 192},     {"tiny.gate", 512, 192},   {"tiny.down", 192, 512},
};

Linear w8a8(const Tensor& weight, const std::string& backend) {
  octavo::force_int8_backend(backend);
  Linear layer = Linear::w8a8("bench", weight, noise({weight.dim(0)}, 3), {});
  octavo::force_int8_backend("");
  return layer;
}

void report(const std::string& op, const Case& c, std::int64_t m, const Timing& t, double bytes_per_weight) {
  std::printf(
      "  {\"op\": \"%s\", \"name\": \"%s\", \"M\": %lld, \"N\": %lld, \"K\": %lld, \"best_ms\": %.4f, "
      "\"median_ms\": %.4f, \"gops\": %.1f, \"gb_s\": %.1f},\n",
      op.c_str(), c.name, static_cast<long long>(m), static_cast<long long>(c.n), static_cast<long long>(c.k),
      t.best * 1e3, t.median * 1e3, 2e-9 * static_cast<double>(m * c.n * c.k) / t.best,
      static_cast<double>(c.n * c.k) * bytes_per_weight * 1e-9 / t.best);
  std::fflush(stdout);
}

void linear_case(const Case& c, double budget) {
  const Tensor weight = weights_s8(c.n, c.k);
  const Tensor probe = noise({3, c.k}, 9);
  const Tensor expected = w8a8(weight, "portable").forward(probe);
  const Linear weight_only = Linear::w8a16("bench", weight, noise({c.n}, 3), {});
  const Linear bf16 = Linear::floating("bench", noise({c.n, c.k}, 4).to(DType::bf16), {});
  const Linear bf16_rounded =
      Linear::floating("bench", noise({c.n, c.k}, 4).to(DType::bf16), {}, octavo::FloatMath::bf16);
  const Linear f32 = Linear::floating("bench", noise({c.n, c.k}, 4), {});
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available || backend.name == "portable") continue;
    const Linear int8 = w8a8(weight, backend.name);
    const Tensor got = int8.forward(probe);
    if (!std::equal(got.values<float>().begin(), got.values<float>().end(), expected.values<float>().begin()))
      throw octavo::Error(octavo::ErrorCode::internal,
                          backend.name + " differs from portable at " + std::string(c.name));
    const auto packed = octavo::gemm::choose_backend(backend.name).pack(weight.data<std::int8_t>(), c.n, c.k);
    for (const std::int64_t m : {1, 4, 16, 64, 128, 512}) {
      const Tensor x = noise({m, c.k}, 6);
      const octavo::QuantizedRows rows = octavo::quantize_per_token(x);
      Tensor sums = Tensor::empty(DType::s32, {m, c.n});
      report("w8a8:" + backend.name, c, m, measure(budget, [&] { (void)int8.forward(x); }), 1);
      report("product:" + backend.name, c, m,
             measure(budget,
                     [&] { packed->multiply(rows.values.data<std::int8_t>(), m, sums.mutable_data<std::int32_t>()); }),
             1);
    }
  }
  for (const std::int64_t m : {1, 4, 16, 64, 128, 512}) {
    const Tensor x = noise({m, c.k}, 6);
    report("quantize", c, m, measure(budget, [&] { (void)octavo::quantize_per_token(x); }), 0);
    for (const octavo::BackendInfo& backend : octavo::float_backends()) {
      if (!backend.available) continue;
      octavo::force_float_backend(backend.name);
      report("w8a16:" + backend.name, c, m, measure(budget, [&] { (void)weight_only.forward(x); }), 1);
      report("bf16:" + backend.name, c, m, measure(budget, [&] { (void)bf16.forward(x); }), 2);
      report("f32:" + backend.name, c, m, measure(budget, [&] { (void)f32.forward(x); }), 4);
      report("bf16, rounded:" + backend.name, c, m, measure(budget, [&] { (void)bf16_rounded.forward(x); }), 2);
    }
    octavo::force_float_backend("");
  }
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
      "\"gops\": %.1f},\n",
      name, static_cast<long long>(q_len), static_cast<long long>(kv_len), t.best * 1e3, t.median * 1e3,
      4e-9 * 16 * 128 * pairs / t.best);
}

void sgemm_case(std::int64_t side, double budget) {
  const Tensor square = noise({side, side}, 5);
  Tensor product = Tensor::empty(DType::f32, {side, side});
  const Timing t = measure(budget, [&] {
    octavo::sgemm(side, side, side, square.data<float>(), side, square.data<float>(), side,
                  product.mutable_data<float>(), side);
  });
  std::printf("  {\"op\": \"sgemm\", \"side\": %lld, \"best_ms\": %.4f, \"gops\": %.1f},\n",
              static_cast<long long>(side), t.best * 1e3, 2e-9 * static_cast<double>(side * side * side) / t.best);
}

void print_limits() {
  const limits::Machine machine = limits::measure();
  std::printf("{\"threads\": %d, \"limits\": {", machine.threads);
  for (const limits::UnitRate& unit : machine.units)
    if (unit.measured) std::printf("\"%s %s\": %.0f, ", unit.kind.c_str(), unit.name.c_str(), unit.all_threads);
  for (const limits::ReadRate& read : machine.reads)
    std::printf("%s\"read %zu\": %.1f", &read == &machine.reads.front() ? "" : ", ", read.bytes, read.all_threads);
  std::printf("},\n \"runs\": [\n");
}

}  // namespace

int main(int argc, char** argv) {
  const double budget = argc > 1 ? std::strtod(argv[1], nullptr) : 0.2;
  octavo::set_num_threads(argc > 2 ? static_cast<int>(std::strtol(argv[2], nullptr, 10)) : 0);
  const std::string wanted = argc > 3 ? argv[3] : "";
  try {
    print_limits();
    for (const Case& c : kCases)
      if (std::string(c.name).find(wanted) != std::string::npos) linear_case(c, budget);
    if (wanted.empty()) {
      sgemm_case(2048, budget);
      attention_case("decode", 1, 1024, budget);
      attention_case("prefill", 1024, 1024, budget);
    }
    std::printf("  {\"op\": \"end\"}\n]}\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gemm_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
