#include "int8_copy.hpp"

#include <algorithm>
#include <cstring>

#include "octavo/cancel.hpp"
#include "octavo/detail/amounts.hpp"
#include "octavo/detail/huge_pages.hpp"
#include "octavo/error.hpp"
#include "octavo/log.hpp"
#include "octavo/observer.hpp"
#include "stopwatch.hpp"

namespace octavo::model {

namespace {

constexpr std::int64_t kPartValues = std::int64_t{1} << 20;  // of float32 at a time: 4 MiB, which stays in cache

}  // namespace

// A row of a weight is rounded as a token is: symmetric, absmax / 127.5 (compressed-tensors), ties to even. Other than
// quantize_layer_rtn this measures no loss, which is most of that function's time.
Linear int8_copy(const std::string& module_path, const Tensor& weight, FloatMath math) {
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  const std::int64_t part =
      std::clamp<std::int64_t>(kPartValues / std::max<std::int64_t>(1, k), 1, std::max<std::int64_t>(1, n));
  const Stopwatch watch;
  const ObserverScope quiet(nullptr);  // no operation of a run
  Tensor values = Tensor::empty(DType::s8, {n, k});
  detail::advise_huge_pages(values.mutable_raw(), values.size_bytes());
  Tensor scales = Tensor::empty(DType::f32, {n});
  in_context(module_path + ".weight, rounded to int8", [&] {
    for (std::int64_t begin = 0; begin < n; begin += part) {
      check_cancelled();
      const Tensor rows = weight.slice(0, begin, std::min(n, begin + part));
      const QuantizedRows rounded = quantize_per_token(rows.to(DType::f32), TokenScale::absmax_127_5);
      std::memcpy(values.mutable_data<std::int8_t>() + begin * k, rounded.values.raw(), rounded.values.size_bytes());
      std::memcpy(scales.mutable_data<float>() + begin, rounded.scales.raw(), rounded.scales.size_bytes());
      rows.drop_pages();  // read for this alone
    }
  });
  log_line(LogLevel::info, "model", [&] {
    return module_path + ": a copy in int8 of " + detail::megabytes(values.size_bytes()) + ", made of " +
           detail::megabytes(weight.size_bytes()) + " in " + detail::seconds(watch.seconds());
  });
  return Linear::w8a16(module_path, values, scales, {}, math);
}

}  // namespace octavo::model
