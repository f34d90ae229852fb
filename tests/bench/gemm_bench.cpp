// Speed of linears and attention at the shapes of the published models, beside this machine's limits as measured in
// the same run (examples/cli/limits).
//
//     gemm_bench [seconds per case] [threads] [text that a case's name contains]      0.2 0 ""
//
// Every int8 backend that runs here is compared with `portable` before it is timed, as a whole layer ("w8a8:NAME") and
// as the bare product of rows that are int8 already ("product:NAME"); every float backend as "bf16:NAME" and so on. The
// text "sgemm": the float32 product alone, beside oneDNN's (with OMP_NUM_THREADS=1, so that it has one thread, too).
// The text "model": the linears of three layers of the 3B model and its lm_head in int8, one after the other, so that
// weights come from memory, as they do in a model. One JSON document on standard output.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "backend.hpp"
#include "limits/limits.hpp"
#include "octavo/attention.hpp"
#include "octavo/detail/huge_pages.hpp"
#include "octavo/gemm.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/parallel.hpp"

// What sgemm replaced. It runs on threads of its own unless OMP_NUM_THREADS=1.
extern "C" int dnnl_sgemm(char transpose_a, char transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
                          float alpha, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta,
                          float* c, std::int64_t ldc);

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

// In a mapped file, as a model's weights are: they are packed by their first product of many rows.
Tensor in_a_file(const Tensor& tensor) {
  const int descriptor = ::memfd_create("weight", MFD_CLOEXEC);
  const std::shared_ptr<void> closer(nullptr, [descriptor](void*) { ::close(descriptor); });
  const auto* bytes = static_cast<const char*>(tensor.raw());
  for (std::size_t done = 0; done < tensor.size_bytes();) {
    const ssize_t written = ::write(descriptor, bytes + done, tensor.size_bytes() - done);
    if (written <= 0) throw octavo::Error(octavo::ErrorCode::io, "cannot write a weight to memory");
    done += static_cast<std::size_t>(written);
  }
  return Tensor::over(octavo::map_descriptor(descriptor, "weight"), 0, tensor.dtype(), tensor.shape());
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
  const Linear weight_only = Linear::w8a16("bench", in_a_file(weight), noise({c.n}, 3), {});
  const Tensor in_memory = noise({c.n, c.k}, 4).to(DType::bf16), floats = in_a_file(in_memory);
  const Linear packed_anew = Linear::floating("bench", in_memory, {});
  const Linear bf16 = Linear::floating("bench", floats, {});
  const Linear bf16_rounded = Linear::floating("bench", floats, {}, octavo::FloatMath::bf16);
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
      report("bf16, packed anew:" + backend.name, c, m, measure(budget, [&] { (void)packed_anew.forward(x); }), 2);
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

// The median over `rounds` of each; the whole does not fit a cache.
void model_case(std::int64_t m, int rounds) {
  struct Layer {
    Linear q, k, v, o, gate, up, down;
  };
  std::vector<Layer> layers;
  std::int64_t layer_weights = 0;
  const auto layer = [&](std::int64_t n, std::int64_t k) {
    layer_weights += n * k;
    return Linear::w8a8("bench", weights_s8(n, k), noise({n}, 3), {});
  };
  for (int i = 0; i < 3; ++i)
    layers.push_back({layer(2048, 2048), layer(256, 2048), layer(256, 2048), layer(2048, 2048), layer(11008, 2048),
                      layer(11008, 2048), layer(2048, 11008)});
  constexpr std::int64_t kVocabulary = 151936;
  Tensor head_weight = Tensor::empty(DType::s8, {kVocabulary, 2048});
  octavo::detail::advise_huge_pages(head_weight.mutable_raw(), head_weight.size_bytes());  // as the model's copy
  for (std::int64_t i = 0; i < head_weight.numel(); ++i)
    head_weight.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i * i % 251 - 125);
  const Linear head = Linear::w8a16("bench", head_weight, noise({kVocabulary}, 3), {});
  const octavo::MemoryPool pool;
  const octavo::MemoryPoolScope scope(pool);
  const Tensor x = noise({m, 2048}, 6);
  Tensor hidden = noise({m, 2048}, 7);
  std::vector<double> of_layers, of_head;
  for (int round = 0; round < rounds; ++round) {
    const double start = seconds();
    for (const Layer& l : layers) {
      const auto [q, k, v] = forward_all({&l.q, &l.k, &l.v}, x);
      l.o.forward_add(q, hidden);
      l.down.forward_add(forward_gated(l.gate, l.up, x), hidden);
    }
    const double between = seconds();
    (void)head.forward(x.slice(0, 0, 1));  // a model samples one row
    of_head.push_back(seconds() - between);
    of_layers.push_back(between - start);
  }
  const auto show = [&](const char* name, std::vector<double>& times, std::int64_t rows, std::int64_t weights) {
    std::sort(times.begin(), times.end());
    const Case c{name, weights / 2048, 2048};
    report("model", c, rows, {times.front(), times[times.size() / 2]}, 1);
  };
  show("linears of 3 layers, w8a8", of_layers, m, layer_weights);
  show("lm_head, w8a16", of_head, 1, kVocabulary * 2048);
}

struct SgemmCase {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};
constexpr SgemmCase kSgemmCases[] = {{2048, 2048, 2048, false, false}, {2048, 2048, 2048, false, true},
                                     {2048, 2048, 2048, true, false},  {512, 2048, 2048, false, true},
                                     {512, 11008, 2048, false, true},  {4096, 256, 4096, false, true},
                                     {64, 2048, 2048, false, true}};

// Every float backend and oneDNN's product, in turns: they meet the same disturbances. The best of the rounds.
void sgemm_case(const SgemmCase& c, double budget) {
  const Tensor a = noise({c.m, c.k}, 5), b = noise({c.n, c.k}, 6);
  Tensor product = Tensor::empty(DType::f32, {c.m, c.n});
  const std::int64_t lda = c.transpose_a ? c.m : c.k, ldb = c.transpose_b ? c.k : c.n;
  std::vector<std::string> names{"dnnl_sgemm"};
  for (const octavo::BackendInfo& backend : octavo::float_backends())
    if (backend.available) names.push_back(backend.name);
  std::vector<double> best(names.size(), 1e30);
  double total = 0;
  for (int round = 0; round < 3 || total < budget * static_cast<double>(names.size()); ++round)
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i > 0) octavo::force_float_backend(names[i]);
      const double start = seconds();
      if (i == 0)
        dnnl_sgemm(c.transpose_a ? 'T' : 'N', c.transpose_b ? 'T' : 'N', c.m, c.n, c.k, 1.0F, a.data<float>(), lda,
                   b.data<float>(), ldb, 0.0F, product.mutable_data<float>(), c.n);
      else
        octavo::sgemm(c.m, c.n, c.k, a.data<float>(), lda, b.data<float>(), ldb, product.mutable_data<float>(), c.n,
                      {.transpose_a = c.transpose_a, .transpose_b = c.transpose_b});
      const double taken = seconds() - start;
      best[i] = std::min(best[i], taken);
      total += taken;
    }
  octavo::force_float_backend("");
  std::printf("  {\"op\": \"sgemm\", \"m\": %lld, \"n\": %lld, \"k\": %lld, \"transposed\": \"%s%s\", \"gflops\": {",
              static_cast<long long>(c.m), static_cast<long long>(c.n), static_cast<long long>(c.k),
              c.transpose_a ? "a" : "", c.transpose_b ? "b" : "");
  for (std::size_t i = 0; i < names.size(); ++i)
    std::printf("%s\"%s\": %.0f", i == 0 ? "" : ", ", names[i].c_str(),
                2e-9 * static_cast<double>(c.m * c.n * c.k) / best[i]);
  std::printf("}},\n");
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
    if (wanted.empty() || wanted == "sgemm")
      for (const SgemmCase& c : kSgemmCases) sgemm_case(c, budget);
    if (wanted.empty() || wanted == "model")
      for (const std::int64_t m : {1, 512}) model_case(m, 9);
    if (wanted.empty()) {
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
