// The meaning of the int8 product, and the oracle of every other backend.
#include <cstring>

#include "backend.hpp"
#include "octavo/detail/pooled.hpp"
#include "octavo/parallel.hpp"

namespace octavo::gemm {

namespace {

class PackedPortable final : public PackedS8 {
 public:
  PackedPortable(const std::int8_t* weight, std::int64_t n, std::int64_t k)
      : n_(n), k_(k), weight_(weight, weight + n * k, detail::PooledAllocator<std::int8_t>(detail::no_pool())) {}

  std::size_t size_bytes() const noexcept override { return weight_.size(); }

  void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const override {
    parallel_for(n_, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = 0; row < m; ++row)
        for (std::int64_t column = begin; column < end; ++column) {
          const std::int8_t* x = a + row * k_;
          const std::int8_t* w = weight_.data() + column * k_;
          std::int32_t sum = 0;
          for (std::int64_t i = 0; i < k_; ++i)
            sum += static_cast<std::int32_t>(x[i]) * static_cast<std::int32_t>(w[i]);
          acc[row * n_ + column] = sum;
        }
    });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  std::int64_t n_, k_;
  detail::PooledVector<std::int8_t> weight_;
};

std::unique_ptr<PackedS8> pack(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedPortable>(weight, n, k);
}

}  // namespace

const Backend kPortableBackend{"portable", "plain loops", kMaxInFeatures, runs_anywhere, pack};

}  // namespace octavo::gemm
