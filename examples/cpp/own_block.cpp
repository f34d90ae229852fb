// A transformer block that Octavo does not know, made of its parts: linears, attention with a cache, GPTQ.   own_block
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <octavo/octavo.hpp>
#include <random>
#include <string>

using octavo::DType, octavo::Linear, octavo::Tensor;

namespace {

constexpr std::int64_t kHeads = 4, kHeadDim = 16, kHidden = kHeads * kHeadDim, kMlp = 4 * kHidden;

Tensor noise(std::int64_t rows, std::int64_t columns, float scale) {
  static std::mt19937 random(1);  // the same on every machine
  Tensor values = Tensor::empty(DType::f32, {rows, columns});
  for (float& value : values.mutable_values<float>())
    value = scale * (static_cast<float>(random() >> 8) / 8388608.0F - 1.0F);
  return values;
}

Tensor sum(const Tensor& a, const Tensor& b) {
  Tensor result = a.clone();
  for (std::int64_t i = 0; i < a.numel(); ++i) result.mutable_data<float>()[i] += b.data<float>()[i];
  return result;
}

Tensor split_heads(const Tensor& x) {  // [L, heads * D] -> [1, heads, L, D]
  const std::int64_t length = x.dim(0);
  const Tensor heads = x.reshape({length, kHeads, kHeadDim}).permute({1, 0, 2}).contiguous();
  return heads.reshape({1, kHeads, length, kHeadDim});
}

Tensor join_heads(const Tensor& x) {  // [1, heads, L, D] -> [L, heads * D]
  return x.select(0, 0).permute({1, 0, 2}).contiguous().reshape({x.dim(2), kHidden});
}

// Attention and MLP beside each other on one input, as in GPT-J (without its norms and positions).
struct Block {
  std::map<std::string, Linear> linears;
  std::map<std::string, octavo::HessianAccumulator>* hessians = nullptr;  // where inputs are collected

  Tensor run(const std::string& name, const Tensor& x) const {
    if (hessians != nullptr) hessians->try_emplace(name, x.dim(1), name).first->second.add(x);
    return linears.at(name).forward(x);
  }
  Tensor forward(const Tensor& x, octavo::KvCache& cache) const {
    octavo::AttentionOptions options;
    options.past = cache.length();
    options.mask = octavo::Mask::causal(options.past);
    options.module_path = "block.attention";  // named where shapes do not fit
    const auto seen = cache.append(0, split_heads(run("k", x)), split_heads(run("v", x)), options.module_path);
    const Tensor heads = octavo::attention(split_heads(run("q", x)), seen.k, seen.v, options);
    cache.commit(x.dim(0));
    Tensor inner = run("up", x);
    for (float& value : inner.mutable_values<float>()) value = std::max(value, 0.0F);
    return sum(x, sum(run("out", join_heads(heads)), run("down", inner)));
  }
};

double distance(const Tensor& a, const Tensor& b) {  // relative to a
  double error = 0, size = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    error += std::pow(a.data<float>()[i] - b.data<float>()[i], 2);
    size += std::pow(a.data<float>()[i], 2);
  }
  return std::sqrt(error / size);
}

}  // namespace

int main() {
  std::map<std::string, Tensor> weights{{"down", noise(kHidden, kMlp, 0.1F)}, {"up", noise(kMlp, kHidden, 0.2F)}};
  for (const char* name : {"q", "k", "v", "out"}) weights[name] = noise(kHidden, kHidden, 0.2F);
  std::map<std::string, octavo::HessianAccumulator> hessians;
  Block block;
  for (const auto& [name, weight] : weights) block.linears[name] = Linear::floating(name, weight, {});
  const auto answer = [&](const Tensor& x) {
    octavo::KvCache cache(1, kHeads, kHeadDim, 64);
    return block.forward(x, cache);
  };
  const Tensor x = noise(17, kHidden, 1.0F), whole = answer(x);
  octavo::KvCache cache(1, kHeads, kHeadDim, 64);  // 16 tokens, then the one behind them
  block.forward(x.slice(0, 0, 16), cache);
  const Tensor last = block.forward(x.slice(0, 16, 17), cache);
  std::printf("with a cache, the last token is off by %.1e\n", distance(whole.slice(0, 16, 17), last));

  block.hessians = &hessians;  // calibration: what each linear sees
  for (int sample = 0; sample < 32; ++sample) answer(noise(48, kHidden, 1.0F));
  block.hessians = nullptr;
  for (auto& [name, linear] : block.linears) {
    const octavo::PreparedHessian hessian(hessians.at(name).take(), {}, name);
    const octavo::QuantizedLayer layer = octavo::quantize_layer(weights.at(name), hessian, {}, name);
    linear = Linear::w8a8(name, layer.weight, layer.scales, {});
  }
  std::printf("in W8A8, the answers are off by %.2f %%\n", 100 * distance(whole, answer(x)));
}
