#include "weights.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "octavo/parallel.hpp"

namespace octavo::detail {
namespace {

constexpr std::int64_t kSampleRows = 48;
constexpr std::int64_t kSampleColumns = 4096;

/// Sums of one row or one column of w (v) and q (or d = q*s).
struct Sums {
  double vv = 0, vq = 0, qq = 0;
};

double ratio(double error, double size) {
  if (size > 0) return std::sqrt(std::max(0.0, error) / size);
  return error > 0 ? 1 : 0;
}

/// The larger of two, where a NaN is larger than everything.
double larger(double a, double b) { return std::isnan(a) || a >= b ? a : b; }

/// The least ||v - r q||^2 over r.
double free_error(const Sums& s) { return s.qq > 0 ? s.vv - s.vq * s.vq / s.qq : s.vv; }

/// Evenly spread indices below `count`, at most `most`.
std::vector<std::int64_t> sample(std::int64_t count, std::int64_t most) {
  const std::int64_t taken = std::min(count, most);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(taken));
  for (std::int64_t i = 0; i < taken; ++i) indices[static_cast<std::size_t>(i)] = i * count / taken;
  return indices;
}

/// Which columns of q hold anything.
std::vector<char> live_columns(const Tensor& q) {
  const std::int64_t rows = q.dim(0);
  const std::int64_t columns = q.dim(1);
  std::vector<char> live(static_cast<std::size_t>(columns), 0);
  const std::int8_t* codes = q.data<std::int8_t>();
  parallel_for(columns, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = 0; n < rows; ++n) {
      for (std::int64_t k = begin; k < end; ++k) {
        live[static_cast<std::size_t>(k)] =
            static_cast<char>(live[static_cast<std::size_t>(k)] | (codes[n * columns + k] != 0));
      }
    }
  });
  return live;
}

/// Per column of w (scaled by factors) and of q * scale.
std::vector<Sums> sum_columns(const Tensor& w, const Tensor& q, std::span<const float> scales,
                              std::span<const float> factors) {
  const std::int64_t rows = w.dim(0);
  const std::int64_t columns = w.dim(1);
  std::vector<Sums> result(static_cast<std::size_t>(columns));
  const std::int8_t* codes = q.data<std::int8_t>();
  parallel_for(columns, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(end - begin));
    for (std::int64_t n = 0; n < rows; ++n) {
      read_floats(w, n * columns + begin, end - begin, values.data());
      const double scale = scales[static_cast<std::size_t>(n)];
      for (std::int64_t k = begin; k < end; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double v =
            double{values[static_cast<std::size_t>(k - begin)]} * (factors.empty() ? 1.0 : double{factors[at]});
        const double d = codes[n * columns + k] * scale;
        result[at].vv += v * v;
        result[at].vq += v * d;
        result[at].qq += d * d;
      }
    }
  });
  return result;
}

struct RowSums {
  Sums live;          // over the columns that q holds
  double absmax = 0;  // over all
};

/// Sums in eight lanes, which the compiler may keep in registers; the order does not depend on the threads.
Sums dot_row(const float* values, const std::int8_t* codes, std::int64_t columns) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> vv{};
  std::array<double, kLanes> vq{};
  std::array<std::int64_t, kLanes> qq{};
  std::int64_t k = 0;
  for (; k + kLanes <= columns; k += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const auto at = static_cast<std::size_t>(lane);
      const double v = values[k + lane];
      const auto code = std::int32_t{codes[k + lane]};
      vv[at] += v * v;
      vq[at] += v * code;
      qq[at] += code * code;
    }
  }
  Sums sums;
  for (; k < columns; ++k) {
    const double v = values[k];
    const double code = codes[k];
    sums.vv += v * v;
    sums.vq += v * code;
    sums.qq += code * code;
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.vv += vv[lane];
    sums.vq += vq[lane];
    sums.qq += static_cast<double>(qq[lane]);
  }
  return sums;
}

std::vector<RowSums> sum_rows(const Tensor& w, const Tensor& q, std::span<const float> factors,
                              const std::vector<char>& live) {
  const std::int64_t rows = w.dim(0);
  const std::int64_t columns = w.dim(1);
  std::vector<std::size_t> dead;
  for (std::size_t k = 0; k < live.size(); ++k) {
    if (live[k] == 0) dead.push_back(k);
  }
  std::vector<RowSums> result(static_cast<std::size_t>(rows));
  const std::int8_t* codes = q.data<std::int8_t>();
  const std::int64_t grain = 1 + (std::int64_t{1} << 14) / std::max<std::int64_t>(1, columns);
  parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(columns));
    for (std::int64_t n = begin; n < end; ++n) {
      read_floats(w, n * columns, columns, values.data());
      for (std::size_t k = 0; k < factors.size(); ++k) values[k] *= factors[k];
      RowSums& row = result[static_cast<std::size_t>(n)];
      float absmax = 0;
      for (const float value : values) absmax = std::max(absmax, std::abs(value));
      row.absmax = double{absmax};
      for (const std::size_t k : dead) values[k] = 0;
      row.live = dot_row(values.data(), codes + n * columns, columns);
    }
  });
  return result;
}

}  // namespace

bool DetailedFit::good() const {
  // Written so that a NaN is not good.
  return fit.relative_error <= kResembles && fit.scale_error_mean <= kScaleErrorMean &&
         fit.scale_error_max <= kScaleErrorMax;
}

void read_floats(const Tensor& tensor, std::int64_t begin, std::int64_t count, float* out) {
  switch (tensor.dtype()) {
    case DType::f32:
      std::copy_n(tensor.data<float>() + begin, count, out);
      return;
    case DType::bf16: {
      const BFloat16* from = tensor.data<BFloat16>() + begin;
      // Not to_float: a call per element would take most of a comparison's time.
      std::transform(from, from + count, out,
                     [](BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); });
      return;
    }
    case DType::f16: {
      const Float16* from = tensor.data<Float16>() + begin;
      std::transform(from, from + count, out, [](Float16 value) { return to_float(value); });
      return;
    }
    case DType::s8: {
      const std::int8_t* from = tensor.data<std::int8_t>() + begin;
      std::transform(from, from + count, out, [](std::int8_t value) { return static_cast<float>(value); });
      return;
    }
    default:
      throw Error(ErrorCode::internal, std::string("compare: no float value in ") + dtype_name(tensor.dtype()));
  }
}

DetailedFit fit_linear(const Tensor& w, const Tensor& q, std::span<const float> scales,
                       std::span<const float> factors) {
  const std::vector<char> live = live_columns(q);
  const auto live_count = std::count(live.begin(), live.end(), char{1});
  DetailedFit result;
  LinearFit& fit = result.fit;
  double error = 0;
  double row_error = 0;
  double size = 0;
  double scale_error = 0;
  std::int64_t counted = 0;
  const std::vector<RowSums> rows = sum_rows(w, q, factors, live);
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const Sums& sums = rows[n].live;
    const double scale = scales[n];
    error += sums.vv - 2 * scale * sums.vq + scale * scale * sums.qq;
    row_error += free_error(sums);
    size += sums.vv;
    if (rows[n].absmax > 0) {
      const double to_absmax = scale * 127.5 / rows[n].absmax;
      fit.scale_to_absmax_min = fit.scale_to_absmax_max == 0 ? to_absmax : std::min(fit.scale_to_absmax_min, to_absmax);
      fit.scale_to_absmax_max = std::max(fit.scale_to_absmax_max, to_absmax);
    }
    if (sums.vv <= 0 && sums.qq <= 0) continue;  // an empty row has no scale to be wrong
    // A row that points elsewhere has no fitting scale at all: as wrong as can be.
    const double off = sums.vq > 0 ? std::abs(scale * sums.qq / sums.vq - 1) : 1;
    scale_error += off;
    ++counted;
    if (fit.scale_error_row < 0 || larger(fit.scale_error_max, off) != fit.scale_error_max) {
      fit.scale_error_max = off;
      fit.scale_error_row = static_cast<std::int64_t>(n);
    }
  }
  fit.scale_error_mean = counted > 0 ? scale_error / static_cast<double>(counted) : 0;
  fit.relative_error = ratio(error, size);
  result.row_free_error = ratio(row_error, size);
  if (result.good() && live_count == static_cast<std::ptrdiff_t>(live.size())) return result;

  // Only what is amiss, or has dead inputs, is looked at by column.
  const std::vector<Sums> columns = sum_columns(w, q, scales, factors);
  double column_error = 0;
  double dead_size = 0;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    if (live[k] != 0) {
      column_error += free_error(columns[k]);
    } else if (columns[k].vv > 0) {
      ++fit.zero_columns;
      dead_size += columns[k].vv;
    }
  }
  // Half of the columns emptied is no quantization any more: they count as lost then.
  const double lost = 2 * live_count < static_cast<std::ptrdiff_t>(live.size()) ? dead_size : 0;
  fit.relative_error = ratio(error + lost, size + lost);
  result.row_free_error = ratio(row_error + lost, size + lost);
  result.column_free_error = ratio(column_error + lost, size + lost);
  return result;
}

double sampled_residual(const Tensor& a, const Tensor& b, bool transposed) {
  const std::int64_t columns = a.dim(1);
  const std::vector<std::int64_t> sampled = sample(columns, kSampleColumns);
  double error = 0;
  double size = 0;
  for (const std::int64_t n : sample(a.dim(0), kSampleRows)) {
    Sums sums;
    for (const std::int64_t k : sampled) {
      float v = 0;
      float q = 0;
      read_floats(a, n * columns + k, 1, &v);
      read_floats(b, transposed ? k * b.dim(1) + n : n * columns + k, 1, &q);
      sums.vv += double{v} * v;
      sums.vq += double{v} * q;
      sums.qq += double{q} * q;
    }
    // A negative factor is another matrix.
    error += sums.vq > 0 ? free_error(sums) : sums.vv;
    size += sums.vv;
  }
  return ratio(error, size);
}

double sampled_scale_distance(std::span<const float> scales, const Tensor& w) {
  const std::int64_t columns = w.dim(1);
  std::vector<float> values(static_cast<std::size_t>(columns));
  double sum = 0;
  std::int64_t counted = 0;
  for (const std::int64_t n : sample(w.dim(0), kSampleRows)) {
    read_floats(w, n * columns, columns, values.data());
    double absmax = 0;
    for (const float value : values) absmax = std::max(absmax, std::abs(double{value}));
    const double scale = scales[static_cast<std::size_t>(n)];
    if (!(absmax > 0) || !(scale > 0)) continue;
    sum += std::abs(std::log(scale * 127.5 / absmax));
    ++counted;
  }
  return counted > 0 ? sum / static_cast<double>(counted) : std::numeric_limits<double>::infinity();
}

PlainDifference plain_difference(const Tensor& a, const Tensor& b, std::span<const float> factors) {
  constexpr std::int64_t kChunk = std::int64_t{1} << 16;
  struct Part {
    double max_abs = 0, error = 0, size = 0;
  };
  const std::int64_t total = a.numel();
  const std::int64_t chunks = (total + kChunk - 1) / kChunk;
  std::vector<Part> parts(static_cast<std::size_t>(chunks));
  parallel_for(chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> left(static_cast<std::size_t>(std::min(total, kChunk)));
    std::vector<float> right(left.size());
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t first = c * kChunk;
      const std::int64_t count = std::min(kChunk, total - first);
      read_floats(a, first, count, left.data());
      read_floats(b, first, count, right.data());
      Part& part = parts[static_cast<std::size_t>(c)];
      for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        double v = left[at];
        if (!factors.empty()) v *= double{factors[static_cast<std::size_t>(first + i) % factors.size()]};
        if (std::isnan(v) && std::isnan(right[at])) continue;
        const double d = v == double{right[at]} ? 0 : std::abs(v - double{right[at]});  // two infinities are equal
        part.max_abs = larger(part.max_abs, d);
        part.error += d * d;
        part.size += v * v;
      }
    }
  });
  PlainDifference result;
  double error = 0;
  double size = 0;
  for (const Part& part : parts) {
    result.max_abs = larger(result.max_abs, part.max_abs);
    error += part.error;
    size += part.size;
  }
  result.relative_error = ratio(error, size);
  return result;
}

}  // namespace octavo::detail
