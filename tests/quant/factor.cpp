// The factor that GPTQ sweeps with, against the plain form in float64.
#include "../../lib/quant/factor.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "catch.hpp"
#include "support.hpp"

using namespace quant_test;

TEST_CASE("J L J is the upper triangular F with F F^T = H") {
  // Around the block of 256.
  const std::int64_t n = GENERATE(1, 2, 17, 255, 256, 257, 511, 600, 1290);
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Tensor x = random(n + 40, n, static_cast<unsigned>(n));
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> rows(x.data<float>(),
                                                                                                     n + 40, n);
  const Matrix xd = rows.cast<double>();
  Matrix h = xd.transpose() * xd / static_cast<double>(n);
  h.diagonal().array() += 0.05;
  // The inverse of the upper Cholesky factor U of the inverse: H = (U^T U)^-1 = U^-1 U^-T.
  const Matrix inverse = h.llt().solve(Matrix::Identity(n, n));
  const Matrix plain = Matrix(inverse.llt().matrixU()).triangularView<Eigen::Upper>().solve(Matrix::Identity(n, n));

  Tensor a = Tensor::empty(DType::f32, {n, n});
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {  // the upper triangle is never read
      a.mutable_data<float>()[i * n + j] = j <= i ? static_cast<float>(h(n - 1 - i, n - 1 - j)) : 1e30F;
    }
  }
  REQUIRE(octavo::quant::cholesky(a.mutable_data<float>(), n));
  octavo::quant::mirror(a.mutable_data<float>(), n);
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i; j < n; ++j) {
      worst = std::max(worst, std::abs(double{a.data<float>()[i * n + j]} - plain(i, j)));
    }
  }
  // H and its factor carry float32's 6e-8, amplified by the condition number of about 100.
  CHECK(worst < 1e-4 * plain.cwiseAbs().maxCoeff());
}

TEST_CASE("A matrix that is not positive definite has no factor") {
  for (const std::int64_t n : {1, 3, 300}) {
    Tensor a = Tensor::zeros(DType::f32, {n, n});
    for (std::int64_t i = 0; i < n; ++i) a.mutable_data<float>()[i * n + i] = i == n - 1 ? -1.0F : 1.0F;
    CHECK_FALSE(octavo::quant::cholesky(a.mutable_data<float>(), n));
  }
}
