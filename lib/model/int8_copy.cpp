#include "int8_copy.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "octavo/cancel.hpp"
#include "octavo/detail/amounts.hpp"
#include "octavo/detail/clones.hpp"
#include "octavo/detail/huge_pages.hpp"
#include "octavo/error.hpp"
#include "octavo/log.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/observer.hpp"
#include "octavo/parallel.hpp"
#include "stopwatch.hpp"

namespace octavo::model {

namespace {

constexpr std::int64_t kPartValues = std::int64_t{1} << 20;  // of a thread's part, whose pages are given back at once
constexpr std::int64_t kWidenedValues = std::int64_t{1} << 17;  // of float32 at a time: 512 KiB, which stay in cache

/// At least one row.
std::int64_t rows_of(std::int64_t values, std::int64_t k) {
  return std::max<std::int64_t>(1, values / std::max<std::int64_t>(1, k));
}

/// |w - scale q| and |w|, each a sum of squares in lanes of float32, and a thousandth for what these round.
OCTAVO_CLONES void row_errors(const float* w, const std::int8_t* q, float scale, std::int64_t k, float* error,
                              float* length) {
  constexpr std::int64_t kLanes = 16;
  float off[kLanes] = {}, whole[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= k; i += kLanes)
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const float rest = w[i + j] - scale * static_cast<float>(q[i + j]);
      off[j] += rest * rest;
      whole[j] += w[i + j] * w[i + j];
    }
  for (; i < k; ++i) {
    const float rest = w[i] - scale * static_cast<float>(q[i]);
    off[0] += rest * rest;
    whole[0] += w[i] * w[i];
  }
  double sum = 0, all = 0;
  for (std::int64_t j = 0; j < kLanes; ++j) {
    sum += static_cast<double>(off[j]);
    all += static_cast<double>(whole[j]);
  }
  constexpr double kLost = 1e-19;  // more than squares below float32's range can add
  *error = static_cast<float>(std::sqrt(sum) * 1.001 + kLost);
  *length = static_cast<float>(std::sqrt(all) * 1.001 + kLost);
}

}  // namespace

// A row of a weight is rounded as a token is: symmetric, absmax / 127.5 (compressed-tensors), ties to even. Other than
// quantize_layer_rtn this measures no loss, which is most of that function's time.
Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math, RowErrors errors) {
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  const std::int64_t part = rows_of(kPartValues, k);
  const std::int64_t widened = rows_of(kWidenedValues, k);
  const Stopwatch watch;
  const MemoryPoolScope lasting(nullptr);
  Tensor values = Tensor::empty(DType::s8, {n, k});
  detail::advise_huge_pages(values.mutable_raw(), values.size_bytes());
  Tensor scales = Tensor::empty(DType::f32, {n});
  auto* to = values.mutable_data<std::int8_t>();
  auto* scale = scales.mutable_data<float>();
  if (errors.errors != nullptr) {
    errors.errors->resize(static_cast<std::size_t>(n));
    errors.lengths->resize(static_cast<std::size_t>(n));
  }
  const auto round = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t begin = first; begin < last; begin += widened) {
      check_cancelled();
      const Tensor rows = weight.slice(0, begin, std::min(last, begin + widened)).to(DType::f32);
      const QuantizedRows rounded = quantize_per_token(rows, TokenScale::absmax_127_5);
      std::memcpy(to + begin * k, rounded.values.raw(), rounded.values.size_bytes());
      std::memcpy(scale + begin, rounded.scales.raw(), rounded.scales.size_bytes());
      for (std::int64_t r = 0; errors.errors != nullptr && r < rows.dim(0); ++r) {
        const auto row = static_cast<std::size_t>(begin + r);
        row_errors(rows.data<float>() + r * k, to + (begin + r) * k, scale[row], k, &(*errors.errors)[row],
                   &(*errors.lengths)[row]);
      }
    }
    weight.slice(0, first, last).drop_pages();  // read for this alone
  };
  const detail::CancelFlags cancel = detail::cancel_flags;  // the other threads look at them, too
  in_context(module_path + ".weight, rounded to int8", [&] {
    parallel_for((n + part - 1) / part, 1, [&](std::int64_t begin, std::int64_t end) {
      const detail::CancelFlagsScope scope(cancel);
      const ObserverScope quiet(nullptr);  // no operation of a run
      const MemoryPool pool;               // widened rows take the place of those before
      const MemoryPoolScope reused(pool);
      for (std::int64_t i = begin; i < end; ++i) round(i * part, std::min(n, (i + 1) * part));
    });
  });
  log_line(LogLevel::info, "model", [&] {
    return module_path + ": a copy in int8 of " + detail::megabytes(values.size_bytes()) + ", made of " +
           detail::megabytes(weight.size_bytes()) + " in " + detail::seconds(watch.seconds());
  });
  return Linear::w8a16(module_path, values, scales, {}, math);
}

}  // namespace octavo::model
