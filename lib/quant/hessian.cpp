#include <algorithm>
#include <utility>

#include "checks.hpp"
#include "octavo/cancel.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quant.hpp"

namespace octavo {
namespace {

/// Rows multiplied at a time: each time the triangle of sums is read and written once.
constexpr std::int64_t kTogether = 2048;
constexpr std::int64_t kTile = 64;

}  // namespace

struct HessianAccumulator::Impl {
  std::string name;
  std::int64_t in_features = 0;
  std::int64_t rows = 0;
  std::int64_t samples = 0;
  FloatMath math = FloatMath::f32;
  Tensor sums;     // lower triangle of sum X^T X, [K,K]
  Tensor waiting;  // [kTogether,K], of which the first waiting_rows are not in the sums yet; made when one has to wait
  std::int64_t waiting_rows = 0;

  void multiply(const float* x, std::int64_t count) {
    ssyrk(in_features, count, x, in_features, sums.mutable_data<float>(), in_features, math);
  }

  /// Always kTogether rows, counted from the first: how rows are cut into samples changes no sum.
  void take_in(const float* x, std::int64_t count) {
    while (count > 0) {
      const std::int64_t part = std::min(count, kTogether - waiting_rows);
      if (part == kTogether) {
        multiply(x, part);
      } else {
        if (!waiting.defined()) waiting = Tensor::empty(DType::f32, {kTogether, in_features});
        float* to = waiting.mutable_data<float>() + waiting_rows * in_features;
        parallel_for(part * in_features, std::int64_t{1} << 16,
                     [&](std::int64_t begin, std::int64_t end) { std::copy(x + begin, x + end, to + begin); });
        waiting_rows += part;
        if (waiting_rows == kTogether) flush();
      }
      x += part * in_features;
      count -= part;
    }
  }

  void flush() {
    if (waiting_rows > 0) multiply(waiting.data<float>(), waiting_rows);
    waiting_rows = 0;
  }
};

HessianAccumulator::HessianAccumulator(std::int64_t in_features, std::string name, FloatMath math)
    : impl_(std::make_shared<Impl>()) {
  if (in_features < 1 || in_features > quant::kMaxInFeatures) {
    throw Error(ErrorCode::invalid_argument, "hessian (" + name + "): in_features is " + std::to_string(in_features) +
                                                 ", it must lie between 1 and 131071");
  }
  impl_->name = std::move(name);
  impl_->in_features = in_features;
  impl_->math = math;
  impl_->sums = Tensor::zeros(DType::f32, {in_features, in_features});
}

void HessianAccumulator::add(const Tensor& x) {
  const std::string who = "hessian (" + impl_->name + ")";
  const std::int64_t k = impl_->in_features;
  if (!impl_->sums.defined()) throw Error(ErrorCode::invalid_argument, who + ": add after take");
  if (!x.defined()) throw Error(ErrorCode::invalid_argument, who + ": x is undefined");
  if (x.dtype() != DType::f32) {
    throw Error(ErrorCode::dtype_mismatch, who + ": x is " + dtype_name(x.dtype()) + ", f32 is needed");
  }
  if (x.rank() != 2 || x.dim(1) != k) {
    throw Error(ErrorCode::shape_mismatch,
                who + ": x is " + x.shape().to_string() + ", [T," + std::to_string(k) + "] is needed",
                quant::matrix_detail("hessian", impl_->name, "x", x.shape(), "K", k));
  }
  const std::int64_t rows = x.dim(0);
  if (rows == 0) return;
  check_cancelled();  // not later: half a sample would be in the sums
  const Tensor dense = x.contiguous();
  const float* values = dense.data<float>();
  quant::check_finite(values, rows, k, "x", who);
  impl_->take_in(values, rows);
  impl_->rows += rows;
  ++impl_->samples;
}

std::int64_t HessianAccumulator::rows() const noexcept { return impl_->rows; }
std::int64_t HessianAccumulator::in_features() const noexcept { return impl_->in_features; }

Tensor HessianAccumulator::take() {
  if (!impl_->sums.defined() || impl_->rows == 0) {
    throw Error(ErrorCode::invalid_argument, "hessian (" + impl_->name + "): " +
                                                 (impl_->sums.defined() ? "no row was added" : "it was taken before"));
  }
  impl_->flush();
  impl_->waiting = {};
  const std::int64_t k = impl_->in_features;
  const float factor = 2.0F / static_cast<float>(impl_->samples);
  float* h = impl_->sums.mutable_data<float>();
  // Tiles, so that the transposed writes stay in cache. Each pair (i,j), (j,i) belongs to one row tile: no races.
  parallel_for((k + kTile - 1) / kTile, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i0 = first * kTile; i0 < std::min(k, last * kTile); i0 += kTile) {
      for (std::int64_t j0 = 0; j0 <= i0; j0 += kTile) {
        for (std::int64_t i = i0; i < std::min(k, i0 + kTile); ++i) {
          for (std::int64_t j = j0; j <= std::min(i, j0 + kTile - 1); ++j) {
            h[i * k + j] *= factor;
            h[j * k + i] = h[i * k + j];
          }
        }
      }
    }
  });
  return std::exchange(impl_->sums, Tensor());
}

}  // namespace octavo
