// One prepared Hessian for many threads.
#include "threads.hpp"

#include <atomic>
#include <cstring>

#include "catch.hpp"
#include "support.hpp"

using namespace octavo;
using namespace quant_test;

TEST_CASE("a prepared hessian shared by threads quantizes to the bits of one thread") {
  const GptqOptions options;
  const PreparedHessian hessian(hessian_of(correlated(200, 96, 5, 12)), options, "shared");
  constexpr int kThreads = 4;
  std::vector<Tensor> weights;
  std::vector<QuantizedLayer> alone;
  for (unsigned i = 0; i < kThreads; ++i) {
    weights.push_back(random(40 + i, 96, 100 + i));
    alone.push_back(quantize_layer(weights.back(), hessian, options, "layer"));
  }
  std::atomic<int> wrong{0};
  test::at_once(kThreads, [&](int thread) {
    for (int round = 0; round < 5; ++round) {
      const auto i = static_cast<std::size_t>(thread + round) % kThreads;
      const QuantizedLayer layer = quantize_layer(weights[i], hessian, options, "layer");
      if (std::memcmp(layer.weight.raw(), alone[i].weight.raw(), layer.weight.size_bytes()) != 0 ||
          std::memcmp(layer.scales.raw(), alone[i].scales.raw(), layer.scales.size_bytes()) != 0 ||
          layer.loss != alone[i].loss || layer.rtn_loss != alone[i].rtn_loss)
        ++wrong;
    }
  });
  CHECK(wrong == 0);
}
