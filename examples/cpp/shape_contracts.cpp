// Shape contracts: what Octavo says where PyTorch says "The expanded size of the tensor (455) must match the existing
// size (228) at non-singleton dimension 3".   shape_contracts
#include <cstdio>
#include <octavo/octavo.hpp>

using octavo::DType, octavo::Shape, octavo::Tensor;

namespace {

// 1. An operation has a contract, one line, parsed while compiling. Yours can have one, too.
constexpr octavo::Contract kBlendContract{"blend: a[M,K]:f32 b[M,K]:f32 weight[M] -> y[M,K]"};

Tensor blend(const Tensor& a, const Tensor& b, const Tensor& weight) {
  octavo::Binder binder(kBlendContract, "my_model.blend");
  binder.arg("a", a).arg("b", b).arg("weight", weight).check();
  Tensor y = binder.output("y", DType::f32, a.shape());
  for (std::int64_t row = 0; row < binder.value("M"); ++row) {
    const float share = weight.data<float>()[row];
    for (std::int64_t i = row * binder.value("K"); i < (row + 1) * binder.value("K"); ++i)
      y.mutable_data<float>()[i] = share * a.data<float>()[i] + (1 - share) * b.data<float>()[i];
  }
  return y;
}

// 2. Attention of one layer of a model with 16 heads, 2 of them for keys and values.
constexpr std::int64_t kHeads = 16, kKvHeads = 2, kHeadDim = 128, kPrompt = 228;

Tensor attend(octavo::KvCache& cache, std::int64_t q_len, const octavo::Mask& mask) {
  const Tensor q = Tensor::zeros(DType::f32, {1, kHeads, q_len, kHeadDim});
  const Tensor k = Tensor::zeros(DType::f32, {1, kKvHeads, q_len, kHeadDim}), v = k;  // of the new tokens alone
  const octavo::KvCache::View seen = cache.append(0, k, v, "model.layers.0.self_attn");
  octavo::AttentionOptions options;
  options.mask = mask;
  options.past = cache.length();
  options.module_path = "model.layers.0.self_attn";
  return octavo::attention(q, seen.k, seen.v, options);
}

template <class Job>
void try_it(const char* what, Job&& job) {
  std::printf("%s\n", what);
  try {
    const Tensor y = job();
    std::printf("  fits: %s\n\n", y.shape().to_string().c_str());
  } catch (const octavo::Error& error) {
    std::printf("  %s\n", error.what());
    if (const octavo::ShapeDetail* shape = error.shape())  // the same for a program
      std::printf("  -> %s: argument %s, dim %d (%s): expected %lld, is %lld\n\n", shape->op.c_str(),
                  shape->argument.c_str(), shape->dim, shape->dim_name.c_str(), static_cast<long long>(shape->expected),
                  static_cast<long long>(shape->actual));
  }
}

}  // namespace

int main() {
  const Tensor a = Tensor::zeros(DType::f32, {4, 8}), b = Tensor::zeros(DType::f32, {4, 6});
  try_it("An operation of our own, b of another width:", [&] { return blend(a, b, Tensor::zeros(DType::f32, {4})); });
  try_it("The same with a b that fits:", [&] { return blend(a, a, Tensor::zeros(DType::f32, {4})); });

  octavo::KvCache cache(1, kKvHeads, kHeadDim, 1024);
  cache.append(0, Tensor::zeros(DType::f32, {1, kKvHeads, kPrompt - 1, kHeadDim}),
               Tensor::zeros(DType::f32, {1, kKvHeads, kPrompt - 1, kHeadDim}), "model.layers.0.self_attn");
  cache.commit(kPrompt - 1);
  // use_cache was off in the files, and the loop fed the whole prompt again over a cache that held it.
  try_it("The prompt of 228 tokens fed again, with the mask of a run without a cache:", [&] {
    return attend(cache, kPrompt, octavo::Mask::explicit_tensor(Tensor::zeros(DType::f32, {1, 1, kPrompt, kPrompt})));
  });
  // A mask is better described than made: then past and q_len are all there is to agree on.
  try_it("The one token that the cache does not hold:",
         [&] { return attend(cache, 1, octavo::Mask::causal(cache.length())); });
}
