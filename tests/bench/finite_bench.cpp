// What looking for NaN and infinity costs, of the time that one decoder layer and the head take (shapes of
// Qwen2.5-VL-3B, bf16 weights): the values that a run looks at, against the products that make them, in turn.
//
//     finite_bench [threads]      1
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <octavo/octavo.hpp>
#include <vector>

namespace {

using octavo::DType;
using octavo::Linear;
using octavo::Tensor;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <class Job>
double seconds_of(Job&& job) {
  const auto start = std::chrono::steady_clock::now();
  job();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Linear linear(std::int64_t out, std::int64_t in) {
  Tensor weight = Tensor::empty(DType::bf16, {out, in});
  for (octavo::BFloat16& value : weight.mutable_values<octavo::BFloat16>()) value = octavo::to_bfloat16(0.01F);
  return Linear::floating("layer", weight, {});
}

void compare(std::int64_t rows, std::int64_t layers) {
  constexpr std::int64_t kHidden = 2048, kInner = 11008, kKeys = 256, kVocabulary = 151936;
  const Linear q = linear(kHidden, kHidden), k = linear(kKeys, kHidden), o = linear(kHidden, kHidden),
               gate = linear(kInner, kHidden), down = linear(kHidden, kInner), head = linear(kVocabulary, kHidden);
  const Tensor x = Tensor::zeros(DType::f32, {rows, kHidden}), inner = Tensor::zeros(DType::f32, {rows, kInner});
  const Tensor last = x.slice(0, 0, 1);
  std::vector<double> layer, head_time, looking, looking_at_logits;
  for (int round = 0; round < 7; ++round) {
    Tensor queries, keys, logits;
    layer.push_back(seconds_of([&] {
      queries = q.forward(x);
      keys = k.forward(x);
      k.forward(x);  // values
      o.forward(x);
      gate.forward(x);
      gate.forward(x);  // up
      down.forward(inner);
    }));
    head_time.push_back(seconds_of([&] { logits = head.forward(last); }));
    bool found = false;
    looking.push_back(seconds_of([&] { found = octavo::first_not_finite(queries) || octavo::first_not_finite(keys); }));
    looking_at_logits.push_back(seconds_of([&] { found = found || octavo::first_not_finite(logits).has_value(); }));
    if (found) std::exit(1);
  }
  const double run = static_cast<double>(layers) * median(layer) + median(head_time);
  const double looks = static_cast<double>(layers) * median(looking) + median(looking_at_logits);
  std::printf("%4lld rows, %lld layers: %.1f ms of products, %.3f ms of looking, %.3f %%\n",
              static_cast<long long>(rows), static_cast<long long>(layers), run * 1e3, looks * 1e3, 100 * looks / run);
}

}  // namespace

int main(int argc, char** argv) {
  octavo::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  for (const std::int64_t rows : {1, 64, 512}) compare(rows, 36);
  return 0;
}
