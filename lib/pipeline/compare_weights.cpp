#include "compare_weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "octavo/parallel.hpp"

namespace octavo::pipeline {
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

/// Columns of w (scaled by factors) and of q * scale; and which columns of q hold anything.
struct ColumnSums {
  std::vector<Sums> sums;
  std::vector<char> live;
};

ColumnSums sum_columns(const Tensor& w, const Tensor& q, std::span<const float> scales,
                       std::span<const float> factors) {
  const std::int64_t rows = w.dim(0);
  const std::int64_t columns = w.dim(1);
  ColumnSums result{std::vector<Sums>(static_cast<std::size_t>(columns)),
                    std::vector<char>(static_cast<std::size_t>(columns), 0)};
  const std::int8_t* codes = q.data<std::int8_t>();
  parallel_for(columns, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(end - begin));
    for (std::int64_t n = 0; n < rows; ++n) {
      read_floats(w, n * columns + begin, end - begin, values.data());
      const double scale = scales[static_cast<std::size_t>(n)];
      for (std::int64_t k = begin; k < end; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double factor = factors.empty() ? 1.0 : double{factors[at]};
        const double v = double{values[static_cast<std::size_t>(k - begin)]} * factor;
        const std::int8_t code = codes[n * columns + k];
        const double d = code * scale;
        Sums& sums = result.sums[at];
        sums.vv += v * v;
        sums.vq += v * d;
        sums.qq += d * d;
        if (code != 0) result.live[at] = 1;
      }
    }
  });
  return result;
}

struct RowSums {
  Sums live;          // over the columns that q holds
  double absmax = 0;  // over all
};

std::vector<RowSums> sum_rows(const Tensor& w, const Tensor& q, std::span<const float> factors,
                              const std::vector<char>& live) {
  const std::int64_t rows = w.dim(0);
  const std::int64_t columns = w.dim(1);
  std::vector<RowSums> result(static_cast<std::size_t>(rows));
  const std::int8_t* codes = q.data<std::int8_t>();
  const std::int64_t grain = 1 + (std::int64_t{1} << 14) / std::max<std::int64_t>(1, columns);
  parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(columns));
    for (std::int64_t n = begin; n < end; ++n) {
      read_floats(w, n * columns, columns, values.data());
      RowSums& row = result[static_cast<std::size_t>(n)];
      for (std::int64_t k = 0; k < columns; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double factor = factors.empty() ? 1.0 : double{factors[at]};
        const double v = double{values[at]} * factor;
        row.absmax = std::max(row.absmax, std::abs(v));
        if (live[at] == 0) continue;
        const double code = codes[n * columns + k];
        row.live.vv += v * v;
        row.live.vq += v * code;
        row.live.qq += code * code;
      }
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
      std::transform(from, from + count, out, [](BFloat16 value) { return to_float(value); });
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
  const ColumnSums columns = sum_columns(w, q, scales, factors);
  const std::vector<RowSums> rows = sum_rows(w, q, factors, columns.live);
  DetailedFit result;
  LinearFit& fit = result.fit;
  double column_error = 0;
  double live_size = 0;
  for (std::size_t k = 0; k < columns.sums.size(); ++k) {
    if (columns.live[k] == 0) {
      fit.zero_columns += columns.sums[k].vv > 0 ? 1 : 0;
      continue;
    }
    column_error += free_error(columns.sums[k]);
    live_size += columns.sums[k].vv;
  }
  double error = 0;
  double row_error = 0;
  double scale_error = 0;
  std::int64_t counted = 0;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const RowSums& row = rows[n];
    const double scale = scales[n];
    error += row.live.vv - 2 * scale * row.live.vq + scale * scale * row.live.qq;
    row_error += free_error(row.live);
    if (row.absmax > 0) {
      const double to_absmax = scale * 127.5 / row.absmax;
      fit.scale_to_absmax_min = fit.scale_to_absmax_max == 0 ? to_absmax : std::min(fit.scale_to_absmax_min, to_absmax);
      fit.scale_to_absmax_max = std::max(fit.scale_to_absmax_max, to_absmax);
    }
    if (row.live.vv <= 0 && row.live.qq <= 0) continue;  // an empty row has no scale to be wrong
    // A row that points elsewhere has no fitting scale at all: as wrong as can be.
    const double off = row.live.vq > 0 ? std::abs(scale * row.live.qq / row.live.vq - 1) : 1;
    scale_error += off;
    ++counted;
    if (fit.scale_error_row < 0 || larger(fit.scale_error_max, off) != fit.scale_error_max) {
      fit.scale_error_max = off;
      fit.scale_error_row = static_cast<std::int64_t>(n);
    }
  }
  fit.scale_error_mean = counted > 0 ? scale_error / static_cast<double>(counted) : 0;
  // Half of the columns emptied is no quantization any more: they count as lost then.
  const auto live = std::count(columns.live.begin(), columns.live.end(), char{1});
  if (2 * live < static_cast<std::ptrdiff_t>(columns.sums.size())) {
    for (std::size_t k = 0; k < columns.sums.size(); ++k) {
      if (columns.live[k] != 0) continue;
      error += columns.sums[k].vv;
      row_error += columns.sums[k].vv;
      column_error += columns.sums[k].vv;
      live_size += columns.sums[k].vv;
    }
  }
  fit.relative_error = ratio(error, live_size);
  result.row_free_error = ratio(row_error, live_size);
  result.column_free_error = ratio(column_error, live_size);
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

}  // namespace octavo::pipeline
