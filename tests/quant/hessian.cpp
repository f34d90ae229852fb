#include <limits>

#include "catch.hpp"
#include "support.hpp"

using namespace octavo;
using namespace quant_test;

TEST_CASE("H is 2/n times the sum of X^T X over samples") {
  const std::int64_t k = GENERATE(1, 2, 63, 65, 200, 1025);
  const Tensor a = random(37, k, 1);
  const Tensor b = random(11, k, 2);
  HessianAccumulator collected(k, "in");
  collected.add(a);
  collected.add(Tensor::empty(DType::f32, {0, k}));
  collected.add(b);
  CHECK(collected.rows() == 48);
  CHECK(collected.in_features() == k);
  const Tensor h = collected.take();
  double worst = 0;
  bool symmetric = true;
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) {
      double sum = 0;
      for (const Tensor& x : {a, b}) {
        for (std::int64_t t = 0; t < x.dim(0); ++t)
          sum += double{x.data<float>()[t * k + i]} * double{x.data<float>()[t * k + j]};
      }
      worst = std::max(worst, std::abs(sum - double{h.data<float>()[i * k + j]}));  // 2/n is 1 for two samples
      symmetric = symmetric && h.data<float>()[i * k + j] == h.data<float>()[j * k + i];
    }
  }
  CHECK(worst < 48 * 16 * 6e-8);  // 48 products of size up to 16, float32 sums
  CHECK(symmetric);
}

TEST_CASE("The Hessian's accumulator refuses what it cannot use, and is then unchanged") {
  CHECK(message_of([] { HessianAccumulator(0, "in"); }) ==
        "hessian (in): in_features is 0, it must lie between 1 and 131071");
  CHECK(message_of([] { HessianAccumulator(131072, "in"); }) ==
        "hessian (in): in_features is 131072, it must lie between 1 and 131071");
  HessianAccumulator collected(4, "in");
  CHECK(message_of([&] { collected.take(); }) == "hessian (in): no row was added");
  CHECK(message_of([&] {
          collected.add(Tensor::zeros(DType::f32, {2, 5}));
        }) == "hessian (in): x is [2, 5], [T,4] is needed");
  CHECK(message_of([&] {
          collected.add(Tensor::zeros(DType::bf16, {2, 4}));
        }) == "hessian (in): x is bf16, f32 is needed");
  Tensor x = random(3, 4, 1);
  x.mutable_data<float>()[6] = std::numeric_limits<float>::infinity();
  CHECK(message_of([&] { collected.add(x); }) == "hessian (in): x[1,2] is infinite; every value must be finite");
  CHECK(collected.rows() == 0);
  collected.add(random(3, 4, 1));
  CHECK(collected.take().shape() == Shape{4, 4});
  CHECK(message_of([&] { collected.take(); }) == "hessian (in): it was taken before");
}
