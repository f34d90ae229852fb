#include <limits>

#include "catch.hpp"
#include "octavo/gemm.hpp"
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

TEST_CASE("How rows are cut into samples changes no sum") {
  const std::int64_t k = 40;
  const Tensor x = random(4500, k, 3);  // more than wait together, twice
  for (const FloatMath math : {FloatMath::f32, FloatMath::bf16}) {
    HessianAccumulator whole(k, "in", math);
    whole.add(x);
    const Tensor expected = whole.take();  // times 2, the pieces by 2 / samples
    for (const std::int64_t piece : {1, 700, 2048, 3000}) {
      HessianAccumulator pieces(k, "in", math);
      std::int64_t samples = 0;
      for (std::int64_t at = 0; at < 4500; at += piece, ++samples)
        pieces.add(x.slice(0, at, std::min<std::int64_t>(4500, at + piece)));
      CHECK(pieces.rows() == 4500);
      const Tensor h = pieces.take();
      double worst = 0;
      for (std::int64_t i = 0; i < k * k; ++i)
        worst = std::max(worst, std::abs(double{h.data<float>()[i]} * static_cast<double>(samples) /
                                             double{expected.data<float>()[i]} -
                                         1));
      INFO("pieces of " << piece);
      CHECK(worst <= 3 * 0x1p-24);  // the factor's rounding
    }
  }
}

TEST_CASE("In bf16 math H is that of rounded inputs where the processor multiplies bf16") {
  const std::int64_t k = 70;
  const Tensor x = correlated(300, k, 5, 20);
  HessianAccumulator collected(k, "in", FloatMath::bf16);
  collected.add(x);
  const Tensor h = collected.take();
  const bool rounded = float_backends()[0].available || float_backends()[1].available;  // amx_bf16, avx512_bf16
  const Tensor expected = hessian_of(rounded ? x.to(DType::bf16).to(DType::f32) : x);
  double worst = 0;
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t j = 0; j < k; ++j) {
      const double size = std::sqrt(double{expected.data<float>()[i * k + i]} * expected.data<float>()[j * k + j]);
      worst = std::max(worst, std::abs(double{h.data<float>()[i * k + j]} - expected.data<float>()[i * k + j]) / size);
    }
  CHECK(worst < 300 * 0x1p-24);  // float32 sums of 300 terms
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
