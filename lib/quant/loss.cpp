#include "loss.hpp"

#include <algorithm>
#include <numeric>

#include "octavo/cancel.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"
#include "scales.hpp"

namespace octavo::quant {
double quadratic_error(const float* difference, std::int64_t rows, const float* h, std::int64_t k) {
  constexpr std::int64_t kWidth = 512;
  std::vector<double> sums(static_cast<std::size_t>(rows), 0.0);
  const auto add_dots = [&](const float* left, std::int64_t ld_left, const float* right, std::int64_t width,
                            double weight) {
    parallel_for(rows, 1 + (std::int64_t{1} << 14) / width, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        double sum = 0;
        for (std::int64_t j = 0; j < width; ++j) sum += double{left[n * ld_left + j]} * double{right[n * k + j]};
        sums[static_cast<std::size_t>(n)] += weight * sum;
      }
    });
  };
  if (h == nullptr) {
    add_dots(difference, k, difference, k, 1.0);
  } else {  // diagonal blocks once, what lies below them twice
    std::vector<float> product(static_cast<std::size_t>(rows * std::min(k, kWidth)));
    for (std::int64_t j = 0; j < k; j += kWidth) {
      check_cancelled();
      const std::int64_t width = std::min(kWidth, k - j);
      const std::int64_t below = j + width;
      sgemm(rows, width, width, difference + j, k, h + j * k + j, k, product.data(), width);
      add_dots(product.data(), width, difference + j, width, 1.0);
      if (below == k) continue;
      sgemm(rows, width, k - below, difference + below, k, h + below * k + j, k, product.data(), width);
      add_dots(product.data(), width, difference + j, width, 2.0);
    }
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

LossRows::LossRows(const float* w, std::int64_t n, std::int64_t k, const std::vector<float>& scales, std::int64_t most)
    : n_(n), k_(k), count_(most == 0 ? n : std::min(n, most)), all_(w) {
  if (count_ == n) {
    scales_ = scales;
    return;
  }
  taken_.resize(static_cast<std::size_t>(count_ * k));
  for (std::int64_t i = 0; i < count_; ++i) {
    std::copy_n(w + row(i) * k, k, taken_.begin() + i * k);
    scales_.push_back(scales[static_cast<std::size_t>(row(i))]);
  }
  const auto squares = [](const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0,
                           [](double sum, float scale) { return sum + double{scale} * double{scale}; });
  };
  share_ = squares(scales_) / squares(scales);
}

double LossRows::of(const std::int8_t* q, const float* h) const {
  if (taken_.empty()) return of_rows(q, h);
  Tensor taken = Tensor::empty(DType::s8, {count_, k_});
  auto* const to = taken.mutable_data<std::int8_t>();
  for (std::int64_t i = 0; i < count_; ++i) std::copy_n(q + row(i) * k_, k_, to + i * k_);
  return of_rows(to, h);
}

double LossRows::of_round_to_nearest(const float* h) const {
  Tensor rounded = Tensor::empty(DType::s8, {count_, k_});
  auto* const q = rounded.mutable_data<std::int8_t>();
  round_to_nearest(weights(), count_, k_, scales_, q);
  return of_rows(q, h);
}

double LossRows::of_rows(const std::int8_t* q, const float* h) const {
  Tensor difference = Tensor::empty(DType::f32, {count_, k_});
  auto* const d = difference.mutable_data<float>();
  subtract_dequantized(weights(), count_, k_, scales_, q, d);
  return quadratic_error(d, count_, h, k_) / share_;
}

}  // namespace octavo::quant
