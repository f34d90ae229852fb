/// The "pack-quantized" form of 8-bit weights: four to a 32-bit integer.
///
///     weight_packed[N,P]:s32   P = ceil(K / 4); byte i of an integer, lowest first, is the weight 4p + i plus 128
///     weight_shape[2]:i64      N, K
///
/// Source: pack_to_int32 of compressed-tensors (compressors/pack_quantized/helpers.py). On a little-endian machine,
/// which Octavo needs anyway, the bytes of a row are the weights of that row with the sign bit turned.
#pragma once

#include "octavo/tensor.hpp"

namespace octavo::checkpoint_detail {

/// w[N,K]:s8 -> [N,P]:s32; what pads a row is 0.
Tensor pack(const Tensor& weight);
/// The reverse, owned. `packed` is [N, ceil(columns / 4)]:s32.
Tensor unpack(const Tensor& packed, std::int64_t columns);
constexpr std::int64_t packed_columns(std::int64_t columns) noexcept { return (columns + 3) / 4; }

}  // namespace octavo::checkpoint_detail
