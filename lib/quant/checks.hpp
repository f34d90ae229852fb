/// Argument checks that the files of this module share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "octavo/quant.hpp"

namespace octavo::quant {

/// Sums of K products of two int8 must fit in int32 (2^31 / 2^14, minus one).
inline constexpr std::int64_t kMaxInFeatures = 131071;

/// Throws invalid_argument naming `who` and the option.
void check_options(const GptqOptions& options, const std::string& who);

/// Throws not_finite naming `who`, the argument and the first row and column that hold a NaN or an infinity; the rows
/// are those from `first_row` on.
void check_finite(const float* values, std::int64_t rows, std::int64_t columns, std::string_view argument,
                  const std::string& who, std::int64_t first_row = 0);

/// The fields of an error about a matrix: its rank, an empty side, or side 1 unlike `columns`.
ShapeDetail matrix_detail(std::string op, std::string_view name, std::string argument, const Shape& shape,
                          std::string column_name, std::int64_t columns);

/// Checks shape and dtype of W[N,K]; reads no value.
void check_weight(const Tensor& weight, const std::string& who);
/// W[N,K] as contiguous float32 (itself if it is that already), checked for shape, dtype and finite values.
Tensor checked_weight(const Tensor& weight, const std::string& who);

}  // namespace octavo::quant
