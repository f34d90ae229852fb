// The ways to quantize a row, each against the plain one: quantize_per_token takes the fastest, so its own tests see
// only that.
#include "kernels/quantize_row.hpp"

#include <limits>

#include "catch.hpp"
#include "kernels/cpu.hpp"
#include "support.hpp"

using namespace gemm_test;

TEST_CASE("rows are quantized to the same bits with and without AVX-512") {
  if (!octavo::gemm::has_avx512()) {
    WARN("this processor has no AVX-512: nothing is compared");
    return;
  }
  for (const float divisor : {127.0F, 127.5F})
    for (const std::int64_t k : {0, 1, 15, 16, 17, 63, 64, 65, 333, 4099})
      for (const float spread : {0.0F, 1e-42F, 1e-9F, 1.0F, 1e37F}) {
        const Tensor x = random(1, k, static_cast<unsigned>(k + 1), spread);
        std::vector<std::int8_t> plain(static_cast<std::size_t>(k)), fast(plain.size());
        float plain_scale = 0;
        float fast_scale = 0;
        INFO("k " << k << " spread " << spread << " divisor " << divisor);
        REQUIRE(octavo::gemm::quantize_row_portable(x.data<float>(), k, divisor, plain.data(), 64, &plain_scale));
        REQUIRE(octavo::gemm::quantize_row_avx512(x.data<float>(), k, divisor, fast.data(), 64, &fast_scale));
        REQUIRE(fast_scale == plain_scale);
        REQUIRE(fast == plain);
      }
  for (const std::int64_t k : {1, 17, 64, 100})
    for (std::int64_t at = 0; at < k; ++at)
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
        Tensor x = random(1, k, 1);
        x.mutable_data<float>()[at] = bad;
        std::vector<std::int8_t> q(static_cast<std::size_t>(k));
        float scale = 0;
        REQUIRE_FALSE(octavo::gemm::quantize_row_portable(x.data<float>(), k, 127.0F, q.data(), 64, &scale));
        REQUIRE_FALSE(octavo::gemm::quantize_row_avx512(x.data<float>(), k, 127.0F, q.data(), 64, &scale));
      }
}
