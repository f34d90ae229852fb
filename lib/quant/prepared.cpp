#include "prepared.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "checks.hpp"
#include "factor.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace octavo {
namespace {

constexpr std::int64_t kTile = 64;
constexpr double kMaxDamp = 1.0;
/// The first retry when no damping was asked for.
constexpr double kLeastDamp = 1e-4;

std::string at(std::int64_t i, std::int64_t j) { return "H[" + std::to_string(i) + "," + std::to_string(j) + "]"; }

/// Room for what float32 sums of either triangle may differ by.
bool symmetric_at(const float* h, std::int64_t k, std::int64_t i, std::int64_t j) {
  const double bound = std::sqrt(double{h[i * k + i]} * double{h[j * k + j]});
  return std::abs(double{h[i * k + j]} - double{h[j * k + i]}) <= 1e-3 * bound + 1e-30;
}

void check_symmetric(const float* h, std::int64_t k, const std::string& who) {
  for (std::int64_t i = 0; i < k; ++i) {
    if (h[i * k + i] < 0) {
      throw Error(ErrorCode::invalid_argument, who + ": " + at(i, i) + " is negative; a sum of squares cannot be");
    }
  }
  parallel_for((k + kTile - 1) / kTile, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i0 = first * kTile; i0 < std::min(k, last * kTile); i0 += kTile) {
      for (std::int64_t j0 = 0; j0 <= i0; j0 += kTile) {
        for (std::int64_t i = i0; i < std::min(k, i0 + kTile); ++i) {
          for (std::int64_t j = j0; j < std::min(i, j0 + kTile); ++j) {
            if (symmetric_at(h, k, i, j)) continue;
            throw Error(ErrorCode::invalid_argument,
                        who + ": " + at(i, j) + " and " + at(j, i) + " differ; the Hessian must be symmetric");
          }
        }
      }
    }
  });
}

/// Mean of the diagonal over live columns; 0 when all are dead.
double mean_diagonal(const float* h, std::int64_t k) {
  double sum = 0;
  std::int64_t live = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    sum += double{h[i * k + i]};
    live += h[i * k + i] != 0 ? 1 : 0;
  }
  return live > 0 ? sum / static_cast<double>(live) : 0;
}

/// Lower triangle of J P (H + damp * mean I) P^T J, with dead columns' diagonal at the mean, times a power of two that
/// brings the mean near 1: neither the factor nor its inverse can then leave float32's range, and no bit of the result
/// depends on H's scale.
void arrange(const PreparedHessian::Impl& from, double mean, double damp, float* a) {
  const float* h = from.hessian.data<float>();
  const std::int64_t k = from.hessian.dim(0);
  int exponent = 0;
  std::frexp(mean, &exponent);
  const double unit = std::ldexp(1.0, -exponent);
  std::vector<std::int64_t> mirrored(from.order.rbegin(), from.order.rend());
  parallel_for(k, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = mirrored[static_cast<std::size_t>(i)];
      const float* row = h + column * k;
      for (std::int64_t j = 0; j < i; ++j) {
        a[i * k + j] = static_cast<float>(double{row[mirrored[static_cast<std::size_t>(j)]]} * unit);
      }
      const double diagonal = from.dead[static_cast<std::size_t>(column)] ? mean : double{row[column]};
      a[i * k + i] = static_cast<float>((diagonal + damp * mean) * unit);
    }
  });
}

/// Sets factor and damp_used; leaves the factor undefined when nothing up to kMaxDamp helps.
void find_factor(PreparedHessian::Impl& impl, double mean) {
  const std::int64_t k = impl.hessian.dim(0);
  Tensor factor = Tensor::empty(DType::f32, {k, k});
  auto* a = factor.mutable_data<float>();
  for (double damp = impl.options.damp_percent;; damp = std::min(kMaxDamp, std::max(kLeastDamp, damp * 10))) {
    arrange(impl, mean, damp, a);
    if (quant::cholesky(a, k)) {
      quant::mirror(a, k);
      impl.factor = std::move(factor);
      impl.damp_used = damp;
      return;
    }
    if (damp >= kMaxDamp) return;
  }
}

}  // namespace

PreparedHessian::PreparedHessian(Tensor hessian, const GptqOptions& options, std::string name) {
  const std::string who = "hessian (" + name + ")";
  quant::check_options(options, who);
  if (!hessian.defined()) throw Error(ErrorCode::invalid_argument, who + ": H is undefined");
  if (hessian.dtype() != DType::f32) {
    throw Error(ErrorCode::dtype_mismatch, who + ": H is " + dtype_name(hessian.dtype()) + ", f32 is needed");
  }
  if (hessian.rank() != 2 || hessian.dim(0) != hessian.dim(1) || hessian.numel() == 0) {
    throw Error(ErrorCode::shape_mismatch,
                who + ": H is " + hessian.shape().to_string() + ", [K,K] with at least one element is needed",
                quant::matrix_detail("hessian", name, "H", hessian.shape(), "K",
                                     hessian.rank() == 2 ? std::max<std::int64_t>(1, hessian.dim(0)) : 0));
  }
  auto impl = std::make_shared<Impl>();
  impl->name = std::move(name);
  impl->options = options;
  const std::int64_t k = hessian.dim(0);
  impl->hessian = hessian.is_contiguous() ? std::move(hessian) : hessian.contiguous();
  const float* h = impl->hessian.data<float>();
  quant::check_finite(h, k, k, "H", who);
  check_symmetric(h, k, who);

  impl->dead.resize(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < k; ++i) impl->dead[static_cast<std::size_t>(i)] = h[i * k + i] == 0;
  impl->dead_columns = std::count(impl->dead.begin(), impl->dead.end(), true);
  impl->order.resize(static_cast<std::size_t>(k));
  std::iota(impl->order.begin(), impl->order.end(), std::int64_t{0});
  if (options.act_order) {  // stable, so that equal columns keep their order on every machine
    std::stable_sort(impl->order.begin(), impl->order.end(),
                     [&](std::int64_t a, std::int64_t b) { return h[a * k + a] > h[b * k + b]; });
  }
  if (options.method == QuantMethod::gptq && impl->dead_columns < k) find_factor(*impl, mean_diagonal(h, k));
  impl_ = std::move(impl);
}

}  // namespace octavo
