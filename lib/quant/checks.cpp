#include "checks.hpp"

#include <atomic>
#include <cmath>

#include "octavo/parallel.hpp"

namespace octavo::quant {
namespace {

std::string number(double value) {
  std::string text = std::to_string(value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

void check_options(const GptqOptions& options, const std::string& who) {
  if (!(options.damp_percent >= 0.0 && options.damp_percent <= 1.0)) {
    throw Error(ErrorCode::invalid_argument, who + ": damp_percent is " + number(options.damp_percent) +
                                                 ", it must lie between 0 and 1 (0.01 is one percent)");
  }
  if (options.block_size < 1 || options.block_size > 4096) {
    throw Error(ErrorCode::invalid_argument,
                who + ": block_size is " + std::to_string(options.block_size) + ", it must lie between 1 and 4096");
  }
  if (options.loss_channels < 0) {
    throw Error(ErrorCode::invalid_argument,
                who + ": loss_channels is " + std::to_string(options.loss_channels) + ", it must be 0 (all) or more");
  }
  const DType scales = options.scale_dtype.value_or(DType::f32);
  if (scales != DType::f32 && scales != DType::bf16 && scales != DType::f16) {
    throw Error(ErrorCode::invalid_argument,
                who + ": scale_dtype is " + dtype_name(scales) + ", it must be f32, bf16 or f16");
  }
}

void check_finite(const float* values, std::int64_t rows, std::int64_t columns, std::string_view argument,
                  const std::string& who, std::int64_t first_row) {
  std::atomic<std::int64_t> first{rows * columns};
  parallel_for(rows, 1 + (std::int64_t{1} << 16) / columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * columns; i < end * columns; ++i) {
      if (std::isfinite(values[i])) continue;
      std::int64_t seen = first.load();
      while (i < seen && !first.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  const std::int64_t at = first.load();
  if (at == rows * columns) return;
  throw Error(ErrorCode::not_finite, who + ": " + std::string(argument) + "[" +
                                         std::to_string(first_row + at / columns) + "," + std::to_string(at % columns) +
                                         "] is " + (std::isnan(values[at]) ? "NaN" : "infinite") +
                                         "; every value must be finite");
}

ShapeDetail matrix_detail(std::string op, std::string_view name, std::string argument, const Shape& shape,
                          std::string column_name, std::int64_t columns) {
  ShapeDetail detail{std::move(op), std::string(name), std::move(argument), -1, "rank", 2, shape.rank()};
  if (shape.rank() != 2) return detail;
  detail.dim = shape[0] == 0 ? 0 : 1;
  detail.dim_name = shape[0] == 0 ? "rows" : std::move(column_name);
  detail.expected = shape[0] == 0 ? 1 : columns;
  detail.actual = shape[detail.dim];
  return detail;
}

void check_weight(const Tensor& weight, const std::string& who) {
  if (!weight.defined()) throw Error(ErrorCode::invalid_argument, who + ": the weight is undefined");
  if (weight.dtype() != DType::f32 && weight.dtype() != DType::bf16 && weight.dtype() != DType::f16) {
    throw Error(ErrorCode::dtype_mismatch,
                who + ": the weight is " + dtype_name(weight.dtype()) + ", f32, bf16 or f16 is needed");
  }
  if (weight.rank() != 2 || weight.numel() == 0) {
    throw Error(ErrorCode::shape_mismatch,
                who + ": the weight is " + weight.shape().to_string() + ", [N,K] with at least one element is needed",
                matrix_detail("quantize_layer", who, "weight", weight.shape(), "K", 1));
  }
  if (weight.dim(1) > kMaxInFeatures) {
    throw Error(ErrorCode::unsupported, who + ": the weight has K = " + std::to_string(weight.dim(1)) +
                                            " inputs; int32 sums of int8 products hold up to 131071");
  }
}

Tensor checked_weight(const Tensor& weight, const std::string& who) {
  check_weight(weight, who);
  Tensor values = weight.contiguous().to(DType::f32);
  check_finite(values.data<float>(), values.dim(0), values.dim(1), "weight", who);
  return values;
}

}  // namespace octavo::quant
