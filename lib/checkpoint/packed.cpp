#include "packed.hpp"

#include <bit>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/parallel.hpp"

namespace octavo::checkpoint_detail {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::int64_t kGrain = 64;  // rows

/// Rows of `columns` bytes from one stride to another, each with its sign bit turned.
void turn(const unsigned char* from, std::int64_t from_stride, unsigned char* to, std::int64_t to_stride,
          std::int64_t rows, std::int64_t columns) {
  parallel_for(rows, kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      for (std::int64_t k = 0; k < columns; ++k)
        to[n * to_stride + k] = static_cast<unsigned char>(from[n * from_stride + k] ^ 0x80U);
  });
}

}  // namespace

Tensor pack(const Tensor& weight) {
  const std::int64_t rows = weight.dim(0);
  const std::int64_t columns = weight.dim(1);
  Tensor packed = Tensor::zeros(DType::s32, {rows, packed_columns(columns)});
  turn(reinterpret_cast<const unsigned char*>(weight.data<std::int8_t>()), columns,
       static_cast<unsigned char*>(packed.mutable_raw()), 4 * packed_columns(columns), rows, columns);
  return packed;
}

Tensor unpack(const Tensor& packed, std::int64_t columns) {
  const std::int64_t rows = packed.dim(0);
  Tensor weight = Tensor::empty(DType::s8, {rows, columns});
  turn(static_cast<const unsigned char*>(packed.raw()), 4 * packed.dim(1),
       reinterpret_cast<unsigned char*>(weight.mutable_data<std::int8_t>()), columns, rows, columns);
  return weight;
}

}  // namespace octavo::checkpoint_detail

namespace octavo {

std::vector<std::pair<std::string, Tensor>> stored_tensors(StoredScheme scheme, const Tensor& weight,
                                                           const Tensor& weight_scale) {
  if (scheme != StoredScheme::w8a16) return {{"weight", weight}, {"weight_scale", weight_scale}};
  const std::vector<std::int64_t> shape{weight.dim(0), weight.dim(1)};
  return {{"weight_packed", checkpoint_detail::pack(weight)},
          {"weight_scale", weight_scale},
          {"weight_shape", Tensor::from<std::int64_t>(shape, {2})}};
}

}  // namespace octavo
