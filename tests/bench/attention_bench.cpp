// Speed of attention at the shapes of Qwen2.5-VL-3B, beside the plain way: one float32 product per head and 64 rows of
// queries, all their scores in memory, std::exp.
//
//     attention_bench [repetitions] [threads] [kernels]      31 1 ""
//
// Kernels are "amx", "avx512", "avx2" or "portable". Both ways run in turns, so that what else the machine does meets
// both; medians are printed, and of the ratios of neighbours. Results are compared before they are timed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "octavo/attention.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace {

using octavo::AttentionOptions;
using octavo::DType;
using octavo::KvCache;
using octavo::Mask;
using octavo::Tensor;

Tensor noise(const octavo::Shape& shape, unsigned seed) {
  std::minstd_rand engine(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::empty(DType::f32, shape);
  for (float& value : t.mutable_values<float>()) value = normal(engine);
  return t;
}

/// A projection's rows [L, H, D] as attention takes them, [1, H, L, D].
Tensor projected(std::int64_t heads, std::int64_t length, std::int64_t width, unsigned seed) {
  return noise({1, length, heads, width}, seed).permute({0, 2, 1, 3});
}

struct Case {
  std::string name;
  Tensor q, k, v;
  Mask mask;
  double pairs = 0;  // of a query head's queries and keys that see each other
  octavo::FloatMath math = octavo::FloatMath::f32;
  KvCache::View stored{};   // what attention reads; k and v where it is empty
  double tolerance = 1e-4;  // against the plain way, which reads k and v
};

/// Queries [begin, end) of one head against keys [begin, end).
struct Part {
  std::int64_t head, query_begin, query_end, key_begin, key_end;
};

Tensor plain(const Case& c) {
  const std::int64_t heads = c.q.dim(1), q_len = c.q.dim(2), width = c.q.dim(3);
  const std::int64_t group = heads / c.k.dim(1);
  const bool causal = c.mask.kind() == Mask::Kind::causal;
  Tensor out = Tensor::empty(DType::f32, {1, q_len, heads, width});
  std::vector<Part> parts;
  const auto bounds = c.mask.cu_seqlens();
  for (std::int64_t h = 0; h < heads; ++h)
    for (std::size_t s = 1; s < std::max<std::size_t>(2, bounds.size()); ++s) {
      const std::int64_t first = bounds.empty() ? 0 : bounds[s - 1];
      const std::int64_t last = bounds.empty() ? q_len : bounds[s];
      for (std::int64_t i = first; i < last; i += 64) {
        const std::int64_t end = std::min(last, i + 64);
        parts.push_back({h, i, end, first, bounds.empty() ? (causal ? c.mask.past() + end : c.k.dim(2)) : last});
      }
    }
  octavo::parallel_for(static_cast<std::int64_t>(parts.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scores;
    for (std::int64_t p = begin; p < end; ++p) {
      const Part& part = parts[static_cast<std::size_t>(p)];
      const std::int64_t rows = part.query_end - part.query_begin, count = part.key_end - part.key_begin;
      const auto at = [&](const Tensor& x, std::int64_t head, std::int64_t row) {
        return x.data<float>() + head * x.strides()[1] + row * x.strides()[2];
      };
      scores.resize(static_cast<std::size_t>(rows * count));
      octavo::sgemm(rows, count, width, at(c.q, part.head, part.query_begin), c.q.strides()[2],
                    at(c.k, part.head / group, part.key_begin), c.k.strides()[2], scores.data(), count,
                    {.transpose_b = true, .alpha = 1 / std::sqrt(static_cast<float>(width))});
      for (std::int64_t i = 0; i < rows; ++i) {
        float* row = scores.data() + i * count;
        const std::int64_t visible = causal ? std::min(count, c.mask.past() + part.query_begin + i + 1) : count;
        const float largest = *std::max_element(row, row + visible);
        float sum = 0;
        for (std::int64_t j = 0; j < visible; ++j) sum += row[j] = std::exp(row[j] - largest);
        for (std::int64_t j = 0; j < visible; ++j) row[j] *= 1 / sum;
        std::fill(row + visible, row + count, 0.0F);
      }
      octavo::sgemm(rows, width, count, scores.data(), count, at(c.v, part.head / group, part.key_begin),
                    c.v.strides()[2], out.mutable_data<float>() + (part.query_begin * heads + part.head) * width,
                    heads * width);
    }
  });
  return out.permute({0, 2, 1, 3});
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  double largest = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double difference = std::fabs(double{x.data<float>()[i]} - double{y.data<float>()[i]});
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/// With one thread the time that it ran, which other jobs on the machine lengthen less; else that on the wall.
double now_ms() {
  timespec now{};
  ::clock_gettime(octavo::num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

template <class Job>
double milliseconds(Job&& job) {
  const double start = now_ms();
  job();
  return now_ms() - start;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void run(const Case& c, int repetitions) {
  AttentionOptions options;
  options.mask = c.mask;
  options.math = c.math;
  options.k_scale = c.stored.k_scale;
  options.v_scale = c.stored.v_scale;
  const KvCache::View seen = c.stored.k.defined() ? c.stored : KvCache::View{c.k, c.v};
  const auto ours = [&] { return octavo::attention(c.q, seen.k, seen.v, options); };
  const double difference = largest_difference(ours(), plain(c));
  if (!(difference < c.tolerance)) {
    std::fprintf(stderr, "attention_bench: %s differs by %g from the plain way\n", c.name.c_str(), difference);
    std::exit(1);
  }
  std::vector<double> new_ms, plain_ms, ratios;
  for (int i = 0; i < repetitions; ++i) {
    new_ms.push_back(milliseconds(ours));
    plain_ms.push_back(milliseconds([&] { plain(c); }));
    ratios.push_back(plain_ms.back() / new_ms.back());
  }
  const double work = 4e-6 * static_cast<double>(c.q.dim(1) * c.q.dim(3)) * c.pairs;  // GFLOP per ms
  const double ms = median(new_ms);
  std::printf("%-22s %10.3f %10.1f %12.3f %10.2f\n", c.name.c_str(), ms, work / ms, median(plain_ms), median(ratios));
  std::fflush(stdout);
}

Case language(const char* name, std::int64_t q_len, std::int64_t kv_len, DType dtype = DType::f32) {
  const auto past = static_cast<double>(kv_len - q_len), length = static_cast<double>(q_len);
  Case c{name,
         projected(16, q_len, 128, 1),
         noise({1, 2, kv_len, 128}, 2),
         noise({1, 2, kv_len, 128}, 3),
         Mask::causal(kv_len - q_len),
         length * past + length * (length + 1) / 2};
  c.stored = KvCache(1, 2, 128, kv_len + 8, dtype).append(0, c.k, c.v, "");
  if (dtype != DType::f32) c.tolerance = 0.1;  // what the cache rounds
  return c;
}

Case vision(const char* name, std::int64_t patches, std::int64_t window) {
  std::vector<std::int32_t> bounds;
  for (std::int64_t i = 0; i <= patches; i += window) bounds.push_back(static_cast<std::int32_t>(i));
  return {name,
          projected(16, patches, 80, 1),
          projected(16, patches, 80, 2),
          projected(16, patches, 80, 3),
          Mask::segments(bounds),
          static_cast<double>(patches * window)};
}

}  // namespace

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? static_cast<int>(std::strtol(argv[1], nullptr, 10)) : 31;
  octavo::set_num_threads(argc > 2 ? static_cast<int>(std::strtol(argv[2], nullptr, 10)) : 1);
  if (argc > 3 && !octavo::attention_kernels::force_kernels(argv[3])) {
    std::fprintf(stderr, "attention_bench: this processor has no %s\n", argv[3]);
    return 1;
  }
  std::printf("kernels %s, %d threads, medians of %d\n", octavo::attention_kernels::kernels().name,
              octavo::num_threads(), repetitions);
  std::printf("%-22s %10s %10s %12s %10s\n", "", "ms", "GFLOP/s", "plain ms", "plain/ms");
  run(language("prefill 512", 512, 512), repetitions);
  run(language("prefill 2048", 2048, 2048), std::max(3, repetitions / 5));
  run(language("prefill 128 after 1920", 128, 2048), repetitions);
  run(vision("vision full 1024", 1024, 1024), repetitions);
  run(vision("vision windows of 64", 1024, 64), repetitions);
  run(language("decode at 256", 1, 256), 20 * repetitions);
  run(language("decode at 2048", 1, 2048), 20 * repetitions);
  run(language("decode at 16384", 1, 16384), repetitions);
  for (Case c : {language("prefill 2048 in bf16", 2048, 2048), vision("vision 1024 in bf16", 1024, 1024),
                 vision("windows in bf16", 1024, 64), language("decode 2048 in bf16", 1, 2048)}) {
    c.math = octavo::FloatMath::bf16;
    c.tolerance = 0.1;
    run(c, repetitions);
  }
  run(language("decode at 16384 bf16", 1, 16384, DType::bf16), repetitions);
  run(language("decode at 16384 s8", 1, 16384, DType::s8), repetitions);
  return 0;
}
